"""Reports and pages, of real runs, looked at in a browser: readable by everybody, everywhere, without a network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from chaosday.reporting.page import write_report
from tests.campaign.many_runs import a_year, write
from tests.flows.demo.test_arms import finished
from tests.lab.browser import browser
from tests.reporting.pages.looking import assert_sound, looked_at
from tests.reporting.test_machines import a_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.lab]
TORN = """\
{"index": 0, "process": 0, "f": "write", "key": "x", "value": 1, "start_ns": 0, "end_ns": 10, "status": "ok"}
{"index": 1, "process": 1, "f": "read", "key": "x", "result": 7, "start_ns": 20, "end_ns": 30, "status": "ok"}
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real runs with a verdict each, one that could not be judged, and an alarm of a placebo's."""
    root = tmp_path_factory.mktemp("runs")
    for arm in ("asynchronous", "synchronous"):
        with finished(arm, root) as done:
            write_report(done.directory)
    write_report(a_run(root, "inconclusive"))
    write_report(a_run(root, "violated", lost=3, placebo=True))
    return root


@pytest.mark.parametrize(
    ("verdict", "run"),
    [
        ("violated", "*-asynchronous-*"),
        ("pass", "*-synchronous-*"),
        ("inconclusive", "*-failover-??????"),
    ],
)
def test_the_report_of_a_run(chromium: Browser, runs: Path, verdict: str, run: str) -> None:
    """Each verdict has a report that says it first, and that anybody can read."""
    pages = [path for path in runs.glob(f"{run}/report.html") if f'class="verdict {verdict}"' in path.read_text()]
    (page,) = [path for path in pages if "placebo:" not in path.read_text()]
    assert_sound(looked_at(chromium, page, f"report-{verdict}"))


def test_the_page_of_a_campaign(chromium: Browser, runs: Path, tmp_path: Path) -> None:
    """All of these runs on one page, with what they cover."""
    page = tmp_path / "campaign.html"
    chaosday("campaign", str(runs), "--html", str(page))
    assert "What is covered" in page.read_text()
    assert_sound(looked_at(chromium, page, "campaign"))


def test_the_page_of_a_year(chromium: Browser, tmp_path: Path) -> None:
    """Hundreds of runs of many systems, with what must not fail and what is to be done about it."""
    for run in a_year(300, until=datetime.now(UTC), seed=5):
        write(tmp_path / "runs", run)
    page = tmp_path / "year.html"
    day = Path(__file__).resolve().parents[3] / "deployments" / "gameday" / "your-postgresql.yaml"
    chaosday("campaign", str(tmp_path / "runs"), "--systems", str(day), "--html", str(page))
    assert "never drilled" in page.read_text()
    assert_sound(looked_at(chromium, page, "year"))


def test_the_page_of_expectations(chromium: Browser, tmp_path: Path) -> None:
    """What a suite found in a file."""
    frame = pd.DataFrame({"id": range(40), "customer": [None, *(f"c{n}" for n in range(39))]})
    frame.to_csv(tmp_path / "orders.csv", index=False)
    suite = tmp_path / "suite.json"
    suite.write_text('[{"expect": "expect_column_values_to_not_be_null", "arguments": {"column": "customer"}}]')
    page = tmp_path / "expectations.html"
    chaosday("expect", str(tmp_path / "orders.csv"), "--suite", str(suite), "--html", str(page), code=1)
    assert_sound(looked_at(chromium, page, "expectations"))


def test_the_page_of_a_checked_history(chromium: Browser, tmp_path: Path) -> None:
    """The operations that a check objects to, drawn on a line of time."""
    history, page = tmp_path / "history.jsonl", tmp_path / "timeline.html"
    history.write_text(TORN)
    chaosday("check", str(history), "--as", "register", "--html", str(page), code=1)
    assert "<svg" in page.read_text()
    assert_sound(looked_at(chromium, page, "checked-history"))


def chaosday(*words: str, code: int = 0) -> None:
    done = subprocess.run([sys.executable, "-m", "chaosday", *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
