"""What a campaign covers, and when that runs out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaosday.campaign.campaigning import runs_under, series_of
from chaosday.campaign.coverage import coverage
from chaosday.campaign.summary import Judged, RunSummary, day_of, summary_of
from chaosday.clock import SystemClock
from chaosday.errors import MalformedInput
from chaosday.reporting.campaign_page import page
from tests.reporting.test_machines import a_run

pytestmark = pytest.mark.kernel
DAY_NS = 86_400 * 10**9


class Then:
    """A clock that stands at one moment."""

    def __init__(self, run: str, days_later: float) -> None:
        self.at_ns = int(day_of(run).timestamp() * 1e9 + days_later * DAY_NS)

    def wall_ns(self) -> int:
        return self.at_ns

    def monotonic_ns(self) -> int:
        return self.at_ns

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def documents(run: str = "20260101T000000-failover-abcdef", is_: str = "PostgreSQL 18.6") -> dict[str, Any]:
    """Of a run on PostgreSQL whose kill bit, whose ledger check could see, and found nothing."""
    plan = {
        "title": "failover",
        "targets": {"db": {"is": f"{is_}, primary, as app@db:5432/orders"}, "p": {"is": "a process"}},
        "faults": [{"fault": {"kind": "process.kill", "target": "p"}}],
        "experiment": {"workloads": [{"target": "db"}], "checks": [{"kind": "ledger"}]},
    }
    verdict = {"outcome": "pass", "words": "", "proofs": {"sight": {"held": True}}, "bites": [
        {"fault": "process.kill", "target": "p", "bit": True}
    ]}  # fmt: skip
    findings = [{"check": "ledger", "outcome": "pass"}]
    return {"run": run, "plan": plan, "verdict": verdict, "findings": findings}


def judged(run: str = "20260101T000000-failover-abcdef", **changes: Any) -> RunSummary:
    """The summary of such a run."""
    return summary_of(Judged.model_validate({**documents(run), **changes}))


def test_a_proof_is_fresh_and_then_expires() -> None:
    """The very same run covers on its last day, and does not on the day after."""
    run = judged()
    (cell,) = coverage([run], Then(run.run, 30), 30)
    assert (cell.system, cell.fault, cell.check) == ("PostgreSQL 18.6", "process.kill", "ledger")
    assert (cell.state, cell.proven, cell.runs) == ("fresh", "2026-01-01", 1)
    (cell,) = coverage([run], Then(run.run, 30.1), 30)
    assert cell.state == "expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": []},
        {"findings": [{"check": "ledger", "outcome": "inconclusive"}]},
        {"verdict": documents()["verdict"] | {"bites": [{"fault": "process.kill", "target": "p", "bit": False}]}},
        {"verdict": documents()["verdict"] | {"bites": []}},
        {"verdict": documents()["verdict"] | {"proofs": {"sight": {"held": False}}}},
    ],
)
def test_what_was_not_proven_is_never_covered(changes: dict[str, Any]) -> None:
    """Without a bite, a verdict of the check, or its sight, a combination that was tried is shown as never proven."""
    run = judged(**changes)
    (cell,) = coverage([run], Then(run.run, 0))
    assert (cell.state, cell.runs) == ("never", 0)


def test_a_placebo_covers_nothing() -> None:
    """It hurt nothing, so it says nothing about the system."""
    assert not coverage([judged(verdict=documents()["verdict"] | {"placebo": True})], SystemClock())


def test_another_version_is_another_system() -> None:
    """After an upgrade the proof has to be made again."""
    upgraded = summary_of(Judged.model_validate(documents("20260201T000000-failover-abcdef", "PostgreSQL 19.0")))
    cells = coverage([judged(), upgraded], Then(upgraded.run, 1))
    assert [(cell.system, cell.state) for cell in cells] == [
        ("PostgreSQL 18.6", "expired"),
        ("PostgreSQL 19.0", "fresh"),
    ]


def test_the_page_shows_every_cell(tmp_path: Path) -> None:
    """Fresh and expired cells with their day, never proven ones as such."""
    a_run(tmp_path, "pass")
    runs = [*runs_under([tmp_path]), judged("20250101T000000-old-abcdef")]
    shown = page(series_of(runs[:1]), coverage(runs, SystemClock()), 30)
    assert "✗ never" in shown  # the minimal run's verdict has no bite
    assert "! expired, 2025-01-01" in shown


def test_a_folder_that_is_no_run_is_said() -> None:
    """A moment is read from the name; a name without one is an error in words."""
    with pytest.raises(MalformedInput, match="does not begin with a moment"):
        day_of("my-run")
