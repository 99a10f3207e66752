"""Backups that were never restored, or not of late, are said to be; what drills measured is a trend."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chaosday.campaign.campaigning import series_of
from chaosday.campaign.coverage import coverage
from chaosday.campaign.drilled import to_do
from chaosday.campaign.restored import recovery_words, restored
from chaosday.campaign.summary import RunSummary
from tests.reporting.test_campaign_page import CLOCK, NOW

pytestmark = pytest.mark.kernel


def drill(days_ago: float, **changes: Any) -> RunSummary:
    """A restore drill of PostgreSQL that passed."""
    said = {
        "run": f"run-{days_ago}", "id": f"run-{days_ago}", "title": "nightly", "kind": "restore", "outcome": "pass",
        "began": (NOW - timedelta(days=days_ago)).isoformat(), "systems": ["PostgreSQL 18.1"], "rpo_s": 1.5, "rto_s": 9,
    }  # fmt: skip
    return RunSummary.model_validate(said | changes)


@pytest.mark.parametrize(
    ("runs", "state", "words"),
    [
        ([drill(2)], "fresh", "restored: a backup of PostgreSQL, 2 days ago, by nightly"),
        ([drill(41, systems=["PostgreSQL 17.2"])], "overdue", "not restored for 41 days: no backup of"),
        ([drill(2, kind="experiment")], "never", "never restored: no backup of PostgreSQL was"),
        ([drill(2, outcome="violated")], "never", "never restored"),
        ([drill(41), drill(2, outcome="inconclusive")], "overdue", "not restored for 41 days"),
    ],
)
def test_when_a_backup_was_last_restored(runs: list[RunSummary], state: str, words: str) -> None:
    """Whatever its version; a drill that found damage or proved nothing restored nothing."""
    (found,) = restored(runs, CLOCK)
    assert (found.state, found.words.startswith(words)) == (state, True), found
    lines = to_do(coverage(runs, CLOCK), [], series_of(runs), [found])
    assert (found.words in lines) == (state != "fresh")


def test_of_what_no_drill_restores_nothing_is_said() -> None:
    """And a placebo met nothing."""
    assert restored([drill(2, systems=["Redis 7.0"]), drill(3, placebo=True)], CLOCK) == []


def test_a_trend_of_recovery_point_and_time() -> None:
    """The newest, and between what all of them were; nothing where no drill measured any."""
    runs = [drill(3, rpo_s=0.5, rto_s=20), drill(2)]
    assert recovery_words(runs) == "rpo 1.5 s (between 0.5 and 1.5 in 2), rto 9 s (between 9 and 20 in 2)"
    assert recovery_words([drill(1, rpo_s=None, rto_s=None)]) == ""
