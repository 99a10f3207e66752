"""Of each outage: whether an experiment had covered it, judged by the runs that there are."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from chaosday.commands.outages import command
from chaosday.drills.gameday.foreseen import by_month, foreseen
from chaosday.drills.gameday.outages import Outage
from tests.campaign.many_runs import ARun, write

pytestmark = pytest.mark.kernel
RUNS = [
    ("fails over", "2026-01-10", "pass", False),
    ("fails over", "2026-03-02", "violated", False),
    ("disk fills", "2026-02-01", "inconclusive", False),
    ("disk fills", "2026-02-02", "pass", True),
    ("disk fills", "2026-04-20", "pass", False),
]
CASES = [
    ("2026-02-14", "fails over", "passed", "2026-01-10"),
    ("2026-03-02", "fails over", "passed", "2026-01-10"),
    ("2026-03-03", "fails over", "found", "2026-03-02"),
    ("2026-01-05", "fails over", "later", "2026-01-10"),
    ("2026-04-01", "disk fills", "later", "2026-04-20"),
    ("2026-04-21", "disk fills", "passed", "2026-04-20"),
    ("2026-04-22", "certificate expires", "never", None),
    ("2026-04-23", "", "never", None),
]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The runs; a placebo and one that proved nothing are no practice."""
    folder = tmp_path / "chaosday-runs"
    folder.mkdir(mode=0o700)
    for number, (title, day, outcome, placebo) in enumerate(RUNS):
        began = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
        write(folder, ARun(began, title=title, outcome=outcome, placebo=placebo, token=f"{number:06d}"))
    return folder


def test_an_outage_is_covered_by_what_was_proven_before_it(runs: Path) -> None:
    """Found and not mended, passed all the same, practised afterwards, or never; what ran on its day came late."""
    from chaosday.campaign.catalogue import catalogue_of

    outages = [Outage(day=day, system="orders", minutes=10, experiment=title) for day, title, _, _ in CASES]
    told = foreseen(outages, catalogue_of([runs]).runs)
    expected = sorted((date.fromisoformat(day), state, run) for day, _, state, run in CASES)
    assert [(each.day, each.state, each.run and each.run.isoformat()) for each in told] == expected
    april = by_month(told)[-1]
    assert (april.month, april.later, april.passed, april.never, april.minutes_uncovered) == ("2026-04", 1, 1, 2, 30)


def test_the_command_says_it_incident_by_incident(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the ledger of a game day's file and the runs beside it, in words and as JSON."""
    monkeypatch.chdir(runs.parent)
    monkeypatch.setenv("CHAOSDAY_RUNS", str(runs))
    lines = [f"    - {{day: {day}, system: orders, minutes: 10, experiment: {title!r}}}" for day, title, _, _ in CASES]
    Path("day.yaml").write_text("\n".join(
        ["kind: gameday", "systems: [{name: orders}]", "outages:", "  first: 2025-01-01", "  since: 2026-01-01",
         "  outages:", *lines]
    ))  # fmt: skip
    told = CliRunner().invoke(command, ["day.yaml"], standalone_mode=False)
    assert "2026-03-03 orders, without a word: an experiment had found it, and it was not mended" in told.output
    said = json.loads(CliRunner().invoke(command, ["day.yaml", "--json"], standalone_mode=False).stdout)
    assert [each["state"] for each in said["covered"]].count("never") == 2
    assert [each["month"] for each in said["covered_by_month"]] == ["2026-01", "2026-02", "2026-03", "2026-04"]
