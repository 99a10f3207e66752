"""Report: the verdict, the page, and artifacts in the UI."""

from __future__ import annotations

import base64
import os

from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from chaosday.judging.verdict import Verdict
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.page import markdown, matrix_records, timeline_picture
from chaosday.running.run import Run
from tasks.progress import over
from tasks.settings import ACT
from tasks.telling import tell

EVIDENCE_URL = "CHAOSDAY_EVIDENCE_URL"


@task(name="report", **ACT)
def report(run: Run) -> Verdict:
    """Merge, write ``report.html``, and show the verdict as artifacts; nothing is at stake any more."""
    verdict = run.report()
    tell(run, lambda: _show(run.directory, verdict))
    over(run, "report")
    return verdict


def _show(directory: RunDirectory, verdict: Verdict) -> None:
    token, address = directory.token, page_address(directory)
    if address:
        create_link_artifact(address, link_text="The report", key=f"chaosday-report-{token}", description="All of it")
    if not (directory.path / "plan.json").is_file():
        return
    words = markdown(directory) + (f"\n\n[The report]({address})" if address else "")
    create_markdown_artifact(words, key=f"chaosday-{token}", description=verdict.outcome)
    if records := matrix_records(directory):
        create_table_artifact(
            records,
            key=f"chaosday-matrix-{token}",
            description="Planted damage that was noticed, of the times it was planted: could the checks have seen it?",
        )
    if picture := timeline_picture(directory):
        inline = f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"
        create_image_artifact(inline, key=f"chaosday-timeline-{token}", description="What clients got, and waited")


def page_address(directory: RunDirectory) -> str:
    """Where the report can be read in a browser; empty where nothing serves the runs (``chaosday serve`` does)."""
    base = os.environ.get(EVIDENCE_URL, "").rstrip("/")
    place, root = directory.path.resolve(), runs_root().resolve()
    if not base or not place.is_relative_to(root):
        return ""
    return f"{base}/runs/{place.relative_to(root).as_posix()}/report.html"
