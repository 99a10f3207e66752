"""Report: the verdict, the page, and artifacts in the UI."""

from __future__ import annotations

import base64
import os
from typing import Protocol

from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from chaosday.judging.verdict import Verdict
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.page import markdown, matrix_records, timeline_picture, write_report
from tasks.progress import progressed
from tasks.settings import ACT

EVIDENCE_URL = "CHAOSDAY_EVIDENCE_URL"


class Concluding(Protocol):
    """A run that can be concluded: an experiment's, or a drill's."""

    directory: RunDirectory

    def conclude(self) -> Verdict:
        """Merge everything into the verdict, and write it."""


@task(name="report", **ACT)
def report(run: Concluding) -> Verdict:
    """Merge, write ``report.html``, and show the verdict as artifacts; nothing is at stake any more."""
    verdict = run.conclude()
    write_report(run.directory)
    token = run.directory.token
    address = page_address(run.directory)
    words = markdown(run.directory) + (f"\n\n[The report]({address})" if address else "")
    create_markdown_artifact(words, key=f"chaosday-{token}", description=verdict.outcome)
    if records := matrix_records(run.directory):
        create_table_artifact(
            records,
            key=f"chaosday-matrix-{token}",
            description="Planted damage that was noticed, of the times it was planted: could the checks have seen it?",
        )
    if picture := timeline_picture(run.directory):
        inline = f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"
        create_image_artifact(inline, key=f"chaosday-timeline-{token}", description="What clients got, and waited")
    if address:
        create_link_artifact(address, link_text="The report", key=f"chaosday-report-{token}", description="All of it")
    progressed(run.directory, "report")
    return verdict


def page_address(directory: RunDirectory) -> str:
    """Where the report can be read in a browser; empty where nothing serves the runs (``chaosday serve`` does)."""
    base = os.environ.get(EVIDENCE_URL, "").rstrip("/")
    place, root = directory.path.resolve(), runs_root().resolve()
    if not base or not place.is_relative_to(root):
        return ""
    return f"{base}/runs/{place.relative_to(root).as_posix()}/report.html"
