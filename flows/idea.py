"""Ideas from everybody, by a form: what could break, and who would notice? Kept in the practice book."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.states import Completed
from pydantic import Field

from chaosday.campaign.catalogue import catalogue_of
from chaosday.drills.gameday.practice_book import Entry, Idea, PracticeBook, ideas
from chaosday.record.foreign_words import markdown_cells
from chaosday.record.run_directory import runs_root
from flows.strict import strict_flow
from tasks.settings import ACT

Words = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]


@task(name="keep the idea", **ACT)
def keep(entry: Entry, runs: Path) -> list[Idea]:
    """Every idea with how far it has come, this one among them."""
    book = PracticeBook(runs)
    book.write(entry)
    listed = catalogue_of([runs]).runs
    titles = {run.title for run in listed if not run.placebo}
    return ideas(book.entries(), titles, {run.title for run in listed if run.counts})


@strict_flow(name="idea", retries=0, persist_result=False)
def idea(
    what_could_break: Words,
    who: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")],
    who_would_notice: Annotated[str, Field(max_length=1000)] = "",
    runs: Path | None = None,
) -> Any:
    """Keep a hypothesis; an experiment is drafted for it later, or it is said that there never will be one.

    Args:
        what_could_break: In your own words.
        who: Whose idea it is.
        who_would_notice: And by what; nobody, where that is so.
        runs: Where run directories lie; chaosday-runs by default.
    """
    entry = Entry(event="idea", person=who.strip(), words=what_could_break.strip(), notices=who_would_notice.strip())
    kept = keep(entry, runs or runs_root())
    create_table_artifact(
        markdown_cells(
            {"idea": each.seq, "status": each.status, "what could break": each.words, "who would notice": each.notices,
             "by": each.by, "experiment": each.experiment}
            for each in kept
        ),
        key="chaosday-ideas",
        description="What could break, who would notice, and what became of it",
    )  # fmt: skip
    return Completed(
        message=f"idea {max(each.seq for each in kept)} is kept; 'chaosday practice judge' says what becomes of it"
    )
