"""Report: the verdict, the page, and an artifact in the UI."""

from __future__ import annotations

from typing import Protocol

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from chaosday.reporting.page import markdown, matrix_records, write_report
from chaosday.run_directory import RunDirectory
from chaosday.verdict import Verdict
from tasks.settings import ACT


class Concluding(Protocol):
    """A run that can be concluded: an experiment's, or a drill's."""

    directory: RunDirectory

    def conclude(self) -> Verdict:
        """Merge everything into the verdict, and write it."""


@task(name="report", **ACT)
def report(run: Concluding) -> Verdict:
    """Merge, write ``report.html``, and show the verdict as an artifact; nothing is at stake any more."""
    verdict = run.conclude()
    write_report(run.directory)
    create_markdown_artifact(
        markdown(run.directory), key=f"chaosday-{run.directory.token}", description=verdict.outcome
    )
    if records := matrix_records(run.directory):
        create_table_artifact(
            records,
            key=f"chaosday-matrix-{run.directory.token}",
            description="Planted damage that was noticed, of the times it was planted: could the checks have seen it?",
        )
    return verdict
