"""The death of a worker: a run that hears of it judges in peace, one that does not is told by a signal."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.leftovers import seconds_until_gone

ROOT = Path(__file__).resolve().parent.parent.parent
LONG_S = 240
RUN = """
import pathlib, sys, time
from flows.orders import PATIENCE_S, WorkerWatch
said, asks = pathlib.Path(sys.argv[1]), sys.argv[2] == "asks"
try:
    with WorkerWatch():
        switch = WorkerWatch()
        said.write_text("on")
        while asks and not switch.reading().halted:
            time.sleep(0.1)
        time.sleep(PATIENCE_S + 3 if asks else 600)
    said.write_text("judged")
except KeyboardInterrupt:
    said.write_text("stopped")
"""
WORKER = """
import pathlib, signal, subprocess, sys, time
stop = "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler)\\n"
subprocess.Popen([sys.executable, "-c", stop + sys.argv[1], sys.argv[2], sys.argv[3]])
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.05)
"""


@pytest.mark.parametrize(("asks", "end"), [("asks", "judged"), ("waits", "stopped")])
def test_a_run_whose_worker_dies(asks: str, end: str, tmp_path: Path) -> None:
    """Asked as a switch it has stopped the run already, and a signal would only cut the judging short."""
    said = tmp_path / "said"
    subprocess.run([sys.executable, "-c", WORKER, RUN, str(said), asks], cwd=ROOT, check=True)
    until = time.monotonic() + LONG_S
    while said.read_text() in ("", "on"):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert said.read_text() == end
    assert seconds_until_gone(str(said)) is not None
