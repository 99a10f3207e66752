"""Runs for machines, and many of them together: JUnit, JSON, pooled bounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest

from chaosday.campaign.campaigning import series_under
from chaosday.clock import SystemClock
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.junit import as_junit
from chaosday.statistics import loss_upper_bound

pytestmark = pytest.mark.kernel


def a_run(root: Path, outcome: str, *, lost: int = 0, of: int = 1000, placebo: bool = False) -> RunDirectory:
    """A finished run as it stands on disk, as far as a report for machines reads it."""
    directory = RunDirectory.create(root, "failover", SystemClock())
    Journal.create(directory.journal_path, directory.run).close()
    anomalies = [{"name": "lost", "count": lost, "keys": [1, "\x01"], "detail": []}] if lost else []
    finding: dict[str, Any] = {
        "check": "ledger",
        "outcome": "violated" if lost else "pass" if outcome == "pass" else "inconclusive",
        "examined": of,
        "examined_unit": "operations",
        "reasons": [],
        "anomalies": anomalies,
        "blind_to": [],
        "result": {"acknowledged_rows": of},
    }
    proofs = {name: {"held": outcome != "inconclusive", "lines": ["seen"]} for name in ("bite", "sight", "clean")}
    verdict = {"outcome": outcome, "words": outcome, "reasons": [], "proofs": proofs, "bites": [], "cleans": []}
    directory.write_json("findings.json", [finding])
    directory.write_json("verdict.json", verdict | {"placebo": placebo})
    experiment = {"checks": [{"kind": "ledger"}]}
    fault = {"fault": {"kind": "process.kill", "target": "p"}, "undo": "", "affects": []}
    plan = {
        "title": "failover",
        "hypothesis": "",
        "seed": 1,
        "targets": {},
        "faults": [fault],
        "experiment": experiment,
    }
    directory.write_json("plan.json", plan)
    return directory


@pytest.mark.parametrize(
    ("outcome", "lost", "failures", "errors"),
    [("pass", 0, 0, 0), ("violated", 7, 2, 0), ("inconclusive", 0, 3, 2)],
)
def test_junit_counts_what_fell(tmp_path: Path, outcome: str, lost: int, failures: int, errors: int) -> None:
    """Damage and missing proofs are failures, what could not be judged is an error, and only a pass has neither."""
    suite = xml.fromstring(as_junit(a_run(tmp_path, outcome, lost=lost)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", str(failures), str(errors))


def test_runs_are_pooled_where_they_were_proven(tmp_path: Path) -> None:
    """Inconclusive and placebo runs are shown and not pooled; another title is another series."""
    for outcome, lost in (("pass", 0), ("violated", 5), ("inconclusive", 0), ("pass", 0)):
        a_run(tmp_path, outcome, lost=lost)
    a_run(tmp_path, "violated", lost=1, placebo=True)
    (series,) = series_under([tmp_path])
    assert (series.passes, series.violations, series.inconclusive) == (2, 1, 1)
    assert (series.placebo_runs, series.placebo_alarms) == (1, 1)
    assert (series.lost, series.of) == (5, 3000)
    assert series.loss_upper_bound_95 == loss_upper_bound(5, 3000)
    assert series.faults == ["process.kill"]


def test_the_commands(tmp_path: Path) -> None:
    """A page, JSON and XML of a run; a row and a page of a campaign; nothing to read is one line."""

    def chaosday(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "chaosday", *words]
        environment = {**os.environ, "CHAOSDAY_RUNS": str(tmp_path / "runs")}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    run = a_run(tmp_path / "runs", "pass")
    done = chaosday("report", str(run.path), "--junit", "out.xml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"]["outcome"] == "pass"
    assert (tmp_path / "out.xml").read_bytes().startswith(b"<?xml")
    done = chaosday("campaign", "--html", "page.html")
    assert done.stdout.startswith("failover: +; 0 of 1,000 rows") and "Campaign" in (tmp_path / "page.html").read_text()
    empty = chaosday("campaign", str(tmp_path / "nowhere"))
    assert empty.returncode == 64 and len(empty.stderr.strip().splitlines()) == 1
