"""What the program says by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaosday.cli import run
from chaosday.clock import SystemClock
from chaosday.reporting.overview import overview
from chaosday.safety.halting import HaltFile
from tests.campaign.many_runs import ARun, write

pytestmark = pytest.mark.kernel


def test_the_first_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a run it says how to begin, for each kind of reader, and ends well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAOSDAY_RUNS", str(tmp_path / "runs"))
    assert run([]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("chaosday demo", "chaosday new", "chaosday advise", "--pipeline", "--help"))
    assert not (tmp_path / "runs").exists()


def test_later_it_says_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage first, then what was never restored and what expired; a halt before everything else."""
    monkeypatch.setenv("CHAOSDAY_HALT", str(tmp_path / "HALT"))
    now = datetime.now(UTC)
    write(tmp_path / "runs", ARun(now - timedelta(days=90)))
    write(
        tmp_path / "runs", ARun(now - timedelta(days=1), title="other", fault="host.clock", outcome="violated", lost=1)
    )
    lines = list(overview(tmp_path / "runs", SystemClock()))
    assert "2 runs of 2 experiments; the last, other, was violated" in lines[0]
    assert lines[1].startswith("2 of 4 checks")
    assert lines[3].startswith("  other: it found damage") and lines[4].startswith("  never restored")
    assert lines[5].startswith("  expired: process.kill")
    HaltFile().halt("a real outage")
    assert "a real outage" in next(overview(tmp_path / "runs", SystemClock()))
