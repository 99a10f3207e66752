"""What is worth telling of a run: one CloudEvent, always with one id, by which a receiver knows that it came twice."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from chaosday.campaign.summary import RunSummary
from chaosday.clock import Clock
from chaosday.model.base import Model
from chaosday.record.foreign_words import one_line

SOURCE = "/chaosday"
TYPES = "org.chaosday.run"


class News(Model):
    """One thing to be told; ``data`` holds a few words of the verdict, and nothing of the evidence or the plan."""

    id: str
    type: str
    subject: str
    time: str
    words: str
    data: dict[str, Any]

    def cloud_event(self) -> dict[str, Any]:
        """As CloudEvents 1.0 has it, in structured mode (https://github.com/cloudevents/spec)."""
        return {
            "specversion": "1.0", "id": self.id, "source": SOURCE, "type": self.type, "subject": self.subject,
            "time": self.time, "datacontenttype": "application/json", "data": self.data,
        }  # fmt: skip


def news_of(
    runs: Iterable[RunSummary], outcomes: Collection[str], clock: Clock, within_days: float
) -> list[News]:  # fmt: skip
    """Of each run of late that ended in one of ``outcomes``, oldest first; a placebo only where it rang an alarm."""
    since = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC) - timedelta(days=within_days)
    return [
        _of(run)
        for run in runs
        if run.outcome in outcomes and run.day >= since and not (run.placebo and run.outcome == "pass")
    ]


def latest_of(runs: Iterable[RunSummary]) -> list[News]:
    """How each experiment is: of its newest run that proved something or left a fault on, whenever that was."""
    newest = {run.title: run for run in runs if not run.placebo and run.outcome != "inconclusive"}
    return [_of(run) for run in newest.values()]


def _of(run: RunSummary) -> News:
    kind = f"{TYPES}.{run.outcome}"
    placebo = "placebo alarm: " if run.placebo else ""
    return News(
        id=hashlib.sha256(f"{run.id} {kind}".encode()).hexdigest(),
        type=kind,
        subject=run.run,
        time=run.began,
        words=f"{placebo}{one_line(run.title)}: {run.outcome.replace('_', ' ')}: {one_line(run.words)}"[:400],
        data={
            "title": run.title, "outcome": run.outcome, "words": run.words, "run": run.run, "systems": run.systems,
            "faults": run.faults, "lost": run.lost, "of": run.of, "placebo": run.placebo, "seconds": run.seconds,
        },
    )  # fmt: skip
