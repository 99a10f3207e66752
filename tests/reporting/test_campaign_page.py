"""The page of a campaign: small however many runs, and first what is to be done."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from chaosday.campaign.campaigning import series_of
from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.coverage import coverage
from chaosday.campaign.drilled import Critical, drilled, to_do, todays
from chaosday.clock import ManualClock
from chaosday.commands.campaign import command
from chaosday.reporting.campaign_page import links_to, page
from tests.campaign.many_runs import ARun, a_year, summary, write

pytestmark = pytest.mark.kernel
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CLOCK = ManualClock(origin_ns=int(NOW.timestamp() * 1e9))
SHOP = Critical(name="the shop", owner="ada", experiments=["failover"], cost_per_hour=27_000, currency="EUR")
PAYROLL = Critical(name="payroll", depends_on=["the bank"], cost_per_hour=100)


def test_a_page_of_thousands_of_runs_is_small() -> None:
    """Its size is that of its experiments and cells; no script, and no bound that reads as nothing."""
    runs = [summary(run) for run in a_year(3_000, until=NOW, seed=2)]
    made = page(series_of(runs), coverage(runs, CLOCK), 30, drilled([SHOP, PAYROLL], runs, CLOCK))
    assert len(made.encode()) < 150_000
    assert "<script" not in made and not re.search(r"\b0\.0+ ?%", made)
    assert made.index("What to do next") < made.index("What must not fail") < made.index("Experiments")


def test_a_page_of_everything_different_stays_small() -> None:
    """Hundreds of experiments on hundreds of systems with long names: the worst are shown, the others counted."""
    runs = [
        summary(
            ARun(NOW, title=f"{number} {'name ' * 40}", system=f"system {'x' * 90} {number}.0", token=f"{number:06d}")
        )
        for number in range(3_000)
    ]  # fmt: skip
    made = page(series_of(runs), coverage(runs, CLOCK), 30)
    assert len(made.encode()) < 300_000 and "and 2800 more experiments" in made


@pytest.mark.parametrize(
    ("days_ago", "changes", "state", "words"),
    [
        (2, {}, "fresh", "drilled: the shop (ada): failover was proven 2 days ago, with 18.6"),
        (31, {}, "overdue", "an hour without it costs 27,000 EUR"),
        (2, {"outcome": "inconclusive"}, "never", "never drilled: the shop (ada): run failover"),
        (2, {"placebo": True}, "never", "never drilled: the shop (ada): run failover"),
        (2, {"title": "another"}, "never", "never drilled: the shop (ada): run failover"),
    ],
)
def test_when_a_critical_system_was_drilled(days_ago: int, changes: dict[str, str], state: str, words: str) -> None:
    """By its own experiments, with a proven verdict, not too long ago; else it says what to do, and the cost."""
    run = summary(ARun(NOW - timedelta(days=days_ago), **changes))  # type: ignore[arg-type]
    (found,) = drilled([SHOP], [run], CLOCK)
    assert found.state == state and words in found.words


def test_the_dearest_gap_comes_first() -> None:
    """Damage, then what stops the business by what it costs, then single cells that were never proven."""
    runs = [
        summary(ARun(NOW - timedelta(days=40), checks=("ledger",))),
        summary(ARun(NOW, title="other", outcome="violated", lost=1, fault="host.clock", checks=("bank",))),
        summary(ARun(NOW, title="third", outcome="inconclusive", fault="network.dns", checks=("bank",))),
    ]
    lines = to_do(coverage(runs, CLOCK), drilled([PAYROLL, SHOP], runs, CLOCK), series_of(runs))
    begins = ("other: it found damage", "third: it proved nothing", "never drilled: payroll", "overdue: the shop",
              "never proven: network.dns", "expired: process.kill")  # fmt: skip
    assert len(lines) == len(begins)
    assert all(line.startswith(begin) for line, begin in zip(lines, begins, strict=True)), lines


def test_a_proof_expires_with_the_version() -> None:
    """What was proven yesterday of another version than the one met today is shown with it, and as expired."""
    runs = [
        summary(ARun(NOW - timedelta(days=1), system="PostgreSQL 18.6", checks=("bank", "ledger"))),
        summary(ARun(NOW, system="PostgreSQL 19.0", checks=("ledger",))),
    ]
    cells = todays(coverage(runs, CLOCK))
    assert [(each.check, each.system, each.state) for each in cells] == [
        ("bank", "PostgreSQL 18.6", "expired"),
        ("ledger", "PostgreSQL 19.0", "fresh"),
    ]


def test_the_command_writes_page_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Critical systems come from a game day's file, a run that has a report is a link, and JSON has the same."""
    place = write(tmp_path / "runs", ARun(datetime.now(UTC) - timedelta(days=3)))
    (place / "report.html").touch()
    day = tmp_path / "day.yaml"
    systems = [{"name": "the shop", "experiments": ["failover"], "downtime_cost_per_minute": 450}]
    day.write_text(yaml.safe_dump({"gameday": "capture the flag", "systems": systems}))
    words = [str(tmp_path / "runs"), "--systems", str(day), "--html", str(tmp_path / "page.html")]
    command.main(words, standalone_mode=False)
    assert "drilled: the shop: failover was proven 3 days ago" in capsys.readouterr().out
    assert f'href="runs/{place.name}/report.html"' in (tmp_path / "page.html").read_text()
    command.main([*words[:3], "--json"], standalone_mode=False)
    said = json.loads(capsys.readouterr().out)
    assert said["systems"][0]["state"] == "fresh" and said["series"][0]["runs"][0]["outcome"] == "pass"
    assert said["coverage"][0]["state"] == "fresh"
    catalogue = catalogue_of([tmp_path / "runs"])
    assert list(links_to(catalogue.runs, catalogue.places, tmp_path).values()) == [f"runs/{place.name}/report.html"]
