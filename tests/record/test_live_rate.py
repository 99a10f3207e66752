"""The rate that people watch is what clients have recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosday.clock import ManualClock
from chaosday.record.recorder import Recorder
from chaosday.running.live_rate import LiveRate

pytestmark = pytest.mark.kernel


def test_it_counts_what_was_acknowledged_since_the_last_look(tmp_path: Path) -> None:
    """Over a whole window, acknowledged ones only, each once, past a line that is half written."""
    clock = ManualClock()
    rate = LiveRate(tmp_path, clock)
    with Recorder(tmp_path, 0, clock=clock) as one, Recorder(tmp_path, 1, clock=clock) as other:
        for status in ("ok", "ok", "failed", "unknown"):
            one.end(one.invoke("write"), status)
            other.end(other.invoke("write"), status)
        assert rate.per_s() == 0
        clock.sleep(2)
        assert rate.per_s() == 2
        half = tmp_path / "client-2.jsonl"
        half.write_bytes(b'{"end":0,"status":"ok"')
        clock.sleep(1)
        assert rate.per_s() == 0
        with half.open("ab") as file:
            file.write(b"}\n")
        clock.sleep(1)
        assert rate.per_s() == 1
