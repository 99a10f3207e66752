"""Every way to stop, at every step of every fault's life, on real victims: nothing is left (G1, G2, G15)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from chaosday import registry
from chaosday.model.lease import LeaseHolder
from chaosday.record.journal import open_faults, read
from chaosday.undo.recovery import recover
from tests.conformance import child
from tests.conformance.benches import BENCHES, WITH_SERVERS_OF_THEIR_OWN, Bench
from tests.conformance.child import BOUNDARIES, LEASE_GONE
from tests.conformance.forking import FORKING

pytestmark = pytest.mark.lab

FAULTS = [kind for kind in registry.members("faults") if not kind.startswith(WITH_SERVERS_OF_THEIR_OWN)]
STARTS = 5
PATIENCE_S = 120.0
"""How long a test waits for an end that has to come; the figures are the benchmark's business, not the test's."""


@dataclass
class Running:
    """A run that stands at a boundary."""

    process: ForkServerProcess
    pipe: Connection

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def exit_code(self) -> int | None:
        self.process.join(PATIENCE_S)
        return self.process.exitcode


@contextlib.contextmanager
def _run(bench: Bench, journal: Path, boundary: str, *, watched: bool = False) -> Iterator[Running]:
    """A run that stands at the boundary. On a machine that is too busy for a lease of seconds it ends itself before it
    comes there, as it should, and is begun again."""
    process, ours, reached = _started(bench, journal, boundary, watched)
    for _ in range(STARTS):
        if not reached.startswith(LEASE_GONE):
            break
        _ended(process, ours)
        assert _comes_to_an_end(bench)
        journal.unlink()
        process, ours, reached = _started(bench, journal, boundary, watched)
    try:
        assert reached == boundary
        yield Running(process, ours)
    finally:
        _ended(process, ours)


def _started(bench: Bench, journal: Path, boundary: str, watched: bool) -> tuple[ForkServerProcess, Connection, str]:
    """A run, and what it said last: the boundary at which it stands."""
    ours, theirs = FORKING.Pipe()
    fault, target = bench.fault.model_dump_json(), json.dumps(bench.target.public())
    process = FORKING.Process(target=child.main, args=(theirs, journal, fault, target, (boundary, watched)))
    process.start()
    theirs.close()
    reached = ""
    with contextlib.suppress(EOFError):
        reached = str(ours.recv()) if ours.poll(PATIENCE_S) else "nothing in time"
    return process, ours, reached


def _ended(process: ForkServerProcess, pipe: Connection) -> None:
    process.kill()
    process.join()
    pipe.close()


def _left(bench: Bench) -> list[str]:
    """What is left of the fault, seen by the test's own means and by the target's."""
    holder = bench.target.capability(LeaseHolder)
    found = [f"lease {lease.id}" for lease in holder.leases() if lease.id != "cd-foreign"]
    return [*found, "the effect"] if bench.hurt() and not bench.stays else found


def _comes_to_an_end(bench: Bench) -> bool:
    until = time.monotonic() + PATIENCE_S
    while left := _left(bench):
        if time.monotonic() > until:
            pytest.fail(f"still there: {', '.join(left)}")
        time.sleep(0.1)
    return True


def _killed(kind: str, boundary: str, directory: Path) -> str:
    """SIGKILL at a boundary, with nobody but the lease to end it."""
    journal = directory / "journal.jsonl"
    with BENCHES[kind](directory) as bench:
        foreign = bench.foreign()
        with _run(bench, journal, boundary) as process:
            process.send_signal(signal.SIGKILL)
            process.exit_code()
        assert _comes_to_an_end(bench)
        assert bench.foreign() == foreign
        did = recover([journal], {"victim": bench.target}, end_marked=False)
        assert all(entry.ok for entry in did), did
        assert open_faults(read(journal)) == []
    return boundary


def _signalled(kind: str, boundary: str, number: int, directory: Path) -> tuple[int | None, bool]:
    """A signal at a boundary, the run's own hands to end it; its lease alone would take ten minutes."""
    journal = directory / "journal.jsonl"
    with BENCHES[kind](directory) as bench:
        bench.fault = bench.fault.model_copy(update={"ttl_s": 600.0})
        with _run(bench, journal, boundary, watched=number == signal.SIGKILL) as process:
            process.send_signal(number)
            code = process.exit_code()
            assert _comes_to_an_end(bench)
        until = time.monotonic() + PATIENCE_S
        while open_faults(read(journal)) and time.monotonic() < until:
            time.sleep(0.1)
        return code, open_faults(read(journal)) == []


@pytest.mark.parametrize("kind", FAULTS)
def test_a_killed_run_leaves_nothing(kind: str, tmp_path: Path) -> None:
    """SIGKILL at every step boundary: the lease on the target ends the fault by itself (G1, G2)."""
    places = [tmp_path / boundary for boundary in BOUNDARIES]
    for place in places:
        place.mkdir()
    with ThreadPoolExecutor(len(BOUNDARIES)) as pool:
        done = list(pool.map(_killed, [kind] * len(BOUNDARIES), BOUNDARIES, places))
    assert done == list(BOUNDARIES)


@pytest.mark.parametrize("kind", FAULTS)
def test_all_ways_to_stop_end_alike(kind: str, tmp_path: Path) -> None:
    """SIGINT and SIGTERM (by the run itself) and SIGKILL (by its watchdog), while armed and while injected (G15)."""
    cases = [
        (boundary, number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        for boundary in ("armed", "injected")
    ]
    places = [tmp_path / f"{boundary}-{number}" for boundary, number in cases]
    for place in places:
        place.mkdir()
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda case, place: _signalled(kind, *case, place), cases, places))
    wanted = [-number if number == signal.SIGKILL else 128 + number for _, number in cases]
    assert [code for code, _ in ended] == wanted
    assert all(clean for _, clean in ended)


def test_a_hung_run_wakes_to_no_injection(tmp_path: Path) -> None:
    """A run that stood still past its deadline finds its lease gone when it wakes, and injects nothing (G1)."""
    with BENCHES["network.proxy.blackhole"](tmp_path) as bench:
        journal = tmp_path / "journal.jsonl"
        with _run(bench, journal, "armed") as process:
            process.send_signal(signal.SIGSTOP)
            assert _comes_to_an_end(bench)
            process.pipe.send("go on")
            process.send_signal(signal.SIGCONT)
            assert process.exit_code() == 1
        assert not bench.hurt()
        assert "injecting" not in [record.event for record in read(journal).records]
