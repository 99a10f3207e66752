"""A fault is looked at to its end: one that is gone before, or that nobody met, proves nothing."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaosday.clients.line_server import LineServer
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.faults.process.pause import ProcessPause
from chaosday.judging.verdict import Verdict
from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.model.experiment import parse
from chaosday.model.fault import Met
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.progress import Step, listening
from chaosday.record.run_directory import RunDirectory
from chaosday.running.meeting import Ordinary
from chaosday.running.playing import complete
from chaosday.running.run import Run
from tests.broken.server import Broken


@pytest.fixture
def victim() -> Iterator[psutil.Process]:
    process = subprocess.Popen(["sleep", "600"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def _played(folder: Path, target: dict[str, Any], fault: dict[str, Any], **more: Any) -> Verdict:
    serving = LineServer(Broken(), lambda: "a sound store, 1")
    serving.start()
    data = {
        "title": "looked at",
        "targets": {"store": {"kind": "line_store", "port": serving.port}, "victim": target},
        "workloads": [{"kind": "set", "target": "store", "clients": 1, "rate_per_s": 50}],
        "faults": [{"fault": {"target": "victim", **fault}}],
        "checks": [{"kind": "set"}],
        "baseline_s": 0.1,
        "fault_window_s": 0.3,
        "after_s": 0,
        "loss_rate_to_see": 0.9,
        "sight_budget_s": 120,
        **more,
    }
    try:
        with Run(ExperimentKind(parse(data)), RunDirectory.create(folder / "runs", "looked", SystemClock())) as run:
            return complete(run)
    finally:
        serving.close()


def _in_the_window(act: Callable[[], object]) -> Callable[[Step], None]:
    def hear(step: Step) -> None:
        if step.phase == "observe":
            act()

    return hear


@pytest.mark.lab
def test_what_was_continued_meanwhile_is_no_bite(
    tmp_path: Path, victim: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused process that somebody continues is missed between the first look and the last, with the time; the
    verdict is inconclusive and the rest is undone and judged."""
    monkeypatch.setattr(ProcessPause, "look_every_s", 0.2)
    target = {"kind": "local_process", "pid": victim.pid, "state_dir": str(tmp_path / "leases")}
    with listening(_in_the_window(lambda: os.kill(victim.pid, signal.SIGCONT))):
        verdict = _played(tmp_path, target, {"kind": "process.pause"}, fault_window_s=2)
    (bite,) = verdict.bites
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert not bite.bit
    assert bite.gone_after_s is not None
    assert bite.looks > 1
    assert f"no bite from {bite.gone_after_s} s on: 0 of 1" in verdict.reasons[0]
    assert [clean.clean for clean in verdict.cleans] == [True]


@pytest.mark.lab
def test_what_stood_still_to_the_end_says_how_often_it_was_looked_at(tmp_path: Path, victim: psutil.Process) -> None:
    """The last look is in the words of the bite, and which operations of the workload met it."""
    target = {"kind": "local_process", "pid": victim.pid, "state_dir": str(tmp_path / "leases")}
    verdict = _played(tmp_path, target, {"kind": "process.pause"}, least_share_met=0.9)
    (bite,) = verdict.bites
    assert bite.bit
    assert "in each of 2 looks" in bite.why
    assert bite.met is not None
    assert bite.met.words in bite.why
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reasons == [r for r in verdict.reasons if "90.0% is asked for" in r]


@pytest.mark.lab
def test_a_journal_that_was_changed_meanwhile_proves_nothing(tmp_path: Path, victim: psutil.Process) -> None:
    """One bit of what we said we did is flipped in the middle of the run: undone, judged, told, and inconclusive."""
    target = {"kind": "local_process", "pid": victim.pid, "state_dir": str(tmp_path / "leases")}
    flipped: list[int] = []

    def flip() -> None:
        (path,) = (tmp_path / "runs").glob("*/journal.jsonl")
        with path.open("r+b") as file:
            flipped.append(len(file.read()) // 2)
            file.seek(flipped[0])
            byte = file.read(1)[0]
            file.seek(flipped[0])
            file.write(bytes([byte ^ (len(flipped) == 1)]))

    with listening(_in_the_window(flip)):
        verdict = _played(tmp_path, target, {"kind": "process.pause"})
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert any(reason.startswith("journal.jsonl, record") for reason in verdict.reasons), verdict.reasons
    assert [clean.clean for clean in verdict.cleans] == [True]
    assert list((tmp_path / "runs").glob("*/report.html"))


@pytest.mark.lab
def test_a_path_that_nobody_asks_for_is_not_hurt(tmp_path: Path) -> None:
    """Its own canaries meet an HTTP fault, and that alone is no bite where there are clients who should."""
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    with HttpProxyProcess.start(tmp_path / "proxy.sock") as proxy:
        proxy.add_route("web", f"http://127.0.0.1:{serving.server_port}")
        target = {"kind": "http_route", "control": str(proxy.control), "route": "web"}
        verdict = _played(tmp_path, target, {"kind": "application.http.status", "path": "/nobody"})
    serving.shutdown()
    serving.server_close()
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nobody met it but its own canaries: 0 of 0 requests of clients" in verdict.reasons[0]


@pytest.mark.kernel
def test_operations_that_met_it_fared_otherwise_than_those_before() -> None:
    """Of those under way meanwhile: failed, unknown, and slower than nearly all of their kind before; a kind of which
    too few were seen is judged by its ends alone."""
    rows = [{"f": "write", "start_ns": n * 10, "end_ns": n * 10 + 1 + n % 2, "status": "ok"} for n in range(50)]
    rows += [
        {"f": "write", "start_ns": 600, "end_ns": 601, "status": "ok"},
        {"f": "write", "start_ns": 600, "end_ns": 690, "status": "ok"},
        {"f": "write", "start_ns": 590, "end_ns": 610, "status": "failed"},
        {"f": "write", "start_ns": 600, "end_ns": None, "status": "unknown"},
        {"f": "read", "start_ns": 600, "end_ns": 690, "status": "ok"},
        {"f": "write", "start_ns": 900, "end_ns": 999, "status": "ok"},
    ]
    history = History.from_rows([{"index": n, "process": 0, **row} for n, row in enumerate(rows)])
    met = Ordinary.of(history, 595).met(history, 595, 700)
    assert (met.hurt, met.of) == (3, 5)
    assert Met(hurt=0, of=0, by="things").share == 0
