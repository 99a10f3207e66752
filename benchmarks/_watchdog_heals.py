"""How long after a run's death its watchdog has ended the fault, beside as many busy processes as make a load of 8."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaosday.record.journal import Record, read
from tests.conformance import child
from tests.conformance.benches import BENCHES
from tests.lab import machine

LOAD = 8
HERE = ("network.proxy.blackhole", "process.pause")
ON_A_HOST = "network.partition"
LIVED_S = (3.0, 0.5, 1.5)
"""How long the fault was on before the run was killed."""
PATIENCE_S = 120.0
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.conformance.child"])


def figures(quick: bool) -> dict[str, Any]:
    """``watchdog_heal_max_s`` over faults of a proxy, a process and a host behind SSH, and of how many deaths."""
    kinds = (*HERE, ON_A_HOST) if not machine.why_no_lab() else HERE
    with _busy(LOAD):
        seen = [_healed_after_s(kind, lived_s) for kind in kinds for lived_s in LIVED_S[: 1 if quick else None]]
    return {"watchdog_deaths": len(seen), "watchdog_heal_max_s": round(max(seen), 2)}


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    started = [FORKING.Process(target=_spin) for _ in range(count)]
    for each in started:
        each.start()
    try:
        yield
    finally:
        for each in started:
            each.kill()
            each.join()


def _spin() -> None:
    while True:
        pass


def _healed_after_s(kind: str, lived_s: float) -> float:
    with tempfile.TemporaryDirectory() as scratch, BENCHES[kind](Path(scratch)) as bench:
        # So long a lease that nobody but the watchdog ends it.
        bench.fault = bench.fault.model_copy(update={"ttl_s": 600.0})
        journal = Path(scratch) / "run" / "journal.jsonl"
        ours, theirs = FORKING.Pipe()
        target = json.dumps(bench.target.public())
        said = (theirs, journal, bench.fault.model_dump_json(), target, ("attested", True))
        process = FORKING.Process(target=child.main, args=said)
        process.start()
        theirs.close()
        assert process.pid is not None
        try:
            if not ours.poll(PATIENCE_S) or ours.recv() != "attested":
                raise RuntimeError(f"the run of {kind} did not come to its bite")
            time.sleep(lived_s)
            killed_ns = time.time_ns()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.join()
            ours.close()
        return (_watchdogs(journal).wall_ns - killed_ns) / 1e9


def _watchdogs(journal: Path) -> Record:
    """Its record of the healing, once it has done all else."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        records = read(journal).records
        if records[-1].event == "watchdog":
            return [record for record in records if record.event == "healed"][-1]
        time.sleep(0.1)
    raise RuntimeError("the watchdog healed nothing")
