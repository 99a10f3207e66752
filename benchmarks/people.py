"""Safety in operation and the way in: late runs, races for a target, halt, guards, and what a new user waits for."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks._clean_machine import clean_machine
from chaosday.clock import SystemClock
from chaosday.errors import Refused
from chaosday.model.history import History
from chaosday.record.journal import open_faults, read
from chaosday.record.run_directory import RunDirectory
from chaosday.safety.fencing import Fences
from chaosday.safety.halting import HaltFile
from chaosday.safety.permission import Permission
from chaosday.servers import postgres
from chaosday.servers.postgres import Node
from tests.safety.test_live_runs import events, experiment, played

ROOT = Path(__file__).resolve().parent.parent
RACERS = 8


def run(*, quick: bool) -> dict[str, Any]:
    """All of it against one real PostgreSQL; ``quick`` takes fewer runs and no clean machine."""
    folder = Path(tempfile.mkdtemp(prefix="chaosday-people-"))
    folder.chmod(0o711)
    node = postgres.primary(folder)
    try:
        return {
            **_first_operation(node, folder),
            **_late(node, folder, 20),
            **_races(folder, 200 if quick else 1000),
            **_halt(node, folder, 8 if quick else 50),
            **_guard(node, folder),
            "clean_machine": None if quick else clean_machine(folder),
        }
    finally:
        node.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _first_operation(node: Node, folder: Path) -> dict[str, float]:
    """From handing an experiment to its flow until a client's first operation, beside a flow that does nothing."""
    from flows.session import prefect_session

    with prefect_session(folder / "prefect"):
        from prefect import flow

        from flows.experiment import experiment as experiment_flow

        nothing = flow(name="nothing", persist_result=False)(lambda: None)
        nothing()  # the server's start is neither's
        began = time.monotonic()
        nothing()
        bare_s = time.monotonic() - began
        directory = RunDirectory.create(folder / "submitted", "submitted", SystemClock())
        began = time.monotonic_ns()
        experiment_flow(experiment(node, fault_window_s=0.2), directory.path, return_state=True)
        first = History.read(directory.path / "history.parquet").integers("start_ns").min()
    return {"submit_to_first_operation_s": round((int(first) - began) / 1e9, 2), "bare_flow_s": round(bare_s, 2)}


def _late(node: Node, folder: Path, count: int) -> dict[str, int]:
    due = SystemClock().wall_ns() - 3_600 * 10**9
    injections = 0
    for _ in range(count):
        directory = RunDirectory.create(folder / "late", "late", SystemClock())
        played(experiment(node), directory, Permission.of(folder / "late", scheduled_ns=due))
        injections += "injecting" in events(directory)
    return {"late_runs": count, "late_injections": injections}


def _races(folder: Path, count: int) -> dict[str, int]:
    """Races of threads with files of their own between them: what counts is who holds at the same time."""
    fences, inside, double = Fences(folder / "fences"), threading.Semaphore(1), 0

    def race(name: int) -> int:
        nonlocal double
        won = 0
        for _ in range(count // RACERS):
            try:
                token = fences.take("target", f"run-{name}")
            except Refused:
                continue
            if not inside.acquire(blocking=False):
                double += 1
                continue
            inside.release()
            fences.release(token)
            won += 1
        return won

    with ThreadPoolExecutor(RACERS) as pool:
        won = sum(pool.map(race, range(RACERS)))
    return {"lease_races": count // RACERS * RACERS, "lease_races_won": won, "double_holders": double}


def _halt(node: Node, folder: Path, count: int) -> dict[str, Any]:
    """Seconds from the switch until no run has an open fault; the runs share the switch and nothing else."""
    place = folder / "halt"
    place.mkdir()
    switch = HaltFile(place / "HALT")
    directories = [RunDirectory.create(place, "live", SystemClock()) for _ in range(count)]
    permission = Permission.of(place, switches=(switch,))
    threads = [
        threading.Thread(target=played, args=(experiment(node), directory, permission), daemon=True)
        for directory in directories
    ]
    for thread in threads:
        thread.start()
    _until(lambda: all("attested" in events(directory) for directory in directories))
    began = time.monotonic()
    switch.halt("measured")
    _until(lambda: not any(open_faults(read(directory.journal_path)) for directory in directories))
    zero_s = time.monotonic() - began
    for thread in threads:
        thread.join(300)
    return {"halt_runs": count, "halt_to_zero_s": round(zero_s, 2)}


def _guard(node: Node, folder: Path) -> dict[str, float]:
    """Seconds from a monitor's breach until the fault is gone; it is asked every half second, one breach is enough."""
    fine = folder / "fine"
    fine.touch()
    probe = {"kind": "command", "target": "here", "run": f"[ -e {fine} ]"}
    guard = {"probe": probe, "breaches": 1, "window": 1, "every_s": 0.5}
    directory = RunDirectory.create(folder / "guard", "guarded", SystemClock())
    thread = threading.Thread(target=played, args=(experiment(node, guards=[guard]), directory), daemon=True)
    thread.start()
    _until(lambda: "attested" in events(directory))
    began = time.monotonic()
    fine.unlink()
    _until(lambda: not open_faults(read(directory.journal_path)))
    stopped_s = time.monotonic() - began
    thread.join(300)
    return {"guard_to_stop_s": round(stopped_s, 2), "guard_every_s": 0.5}


def _until(condition: Any, patience_s: float = 300) -> None:
    until = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("it never came")
        time.sleep(0.02)
