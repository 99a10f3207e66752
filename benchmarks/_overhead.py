"""What a workload's clients cost in CPU seconds for each acknowledged operation, here and before, in pairs.

Both checkouts write to one server, each in a process of its own that waits while the other works; what else the
machine does then falls on both. The processor's time is theirs alone, whatever share of it others leave them.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks._suites import ROOT
from chaosday.servers import postgres
from chaosday.servers.postgres import Node

COMMIT = "cbdd25b"
"""The last one before records were signed, paths resolved step by step and readings bounded."""
TURN_S = 0.6
DRAWS = 2_000
CLIENT = """
import json, pathlib, resource, sys, threading
from chaosday.record.recorder import seal
from chaosday.targets.postgresql import PostgreSQL
from chaosday.workloads.ledger import Ledger

name, folder, seconds = sys.argv[1], pathlib.Path(sys.argv[2]), float(sys.argv[3])
target = PostgreSQL.model_validate(json.loads(sys.stdin.readline()))
for number, _ in enumerate(sys.stdin):
    workload = Ledger(clients=8, scope=f"{name}_{number}")
    workload.prepare(target)
    stop, place = threading.Event(), folder / f"{name}-{number}"
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    began = resource.getrusage(resource.RUSAGE_SELF)
    workload.run(target, place, stop, seed=number)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    workload.clean_up(target)
    done = int((seal(place, place.with_suffix(".parquet")).statuses() == 0).sum())
    print((ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime) / done, flush=True)
"""


def overhead(pairs: int) -> dict[str, Any]:
    """The median share by which an operation costs more here than at ``COMMIT``, and where it lies at 95 %.

    ``overhead_pairs`` is 0, and the shares None, where git does not have that commit.
    """
    with tempfile.TemporaryDirectory(prefix="chaosday-overhead-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # the server runs under another account
        before = _checkout(folder / "before")
        if before is None:
            return _told([])
        node = postgres.primary(folder, name="load")
        try:
            return _told(_measured(node, folder, before, pairs))
        finally:
            node.stop()


def _measured(node: Node, folder: Path, before: Path, pairs: int) -> list[float]:
    """The quotients of ``pairs`` pairs, whose order is changed from one to the next; the first turns warm up."""
    rng, found = random.Random(19), []
    with _client(node, folder, ROOT, "here") as here, _client(node, folder, before, "before") as there:
        for number in range(pairs + 1):
            order = [here, there] if rng.random() < 0.5 else [there, here]
            cost = {each.pid: _turn(each) for each in order}
            if number:
                found.append(cost[here.pid] / cost[there.pid])
    return found


def _told(quotients: Sequence[float]) -> dict[str, Any]:
    shares: list[float | None] = [None, None, None]
    if quotients:
        rng, logs = random.Random(19), [math.log(each) for each in quotients]
        drawn = sorted(statistics.median(rng.choices(logs, k=len(logs))) for _ in range(DRAWS))
        points = (statistics.median(logs), drawn[int(DRAWS * 0.025)], drawn[int(DRAWS * 0.975)])
        shares = [round(math.exp(each) - 1, 3) for each in points]
    names = ("overhead", "overhead_low", "overhead_high")
    return {**dict(zip(names, shares, strict=True)), "overhead_pairs": len(quotients), "overhead_since": COMMIT}


def _checkout(place: Path) -> Path | None:
    """The kernel as it was, apart from git's own records of checkouts."""
    asked = ["git", "archive", "--format=tar", COMMIT, "chaosday"]
    packed = subprocess.run(asked, cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(place, filter="data")
    return place


@contextlib.contextmanager
def _client(node: Node, folder: Path, checkout: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """A process of a checkout's own code, which takes a turn for each line that it is given."""
    command = [sys.executable, "-P", "-c", CLIENT, name, str(folder), str(TURN_S)]
    process = subprocess.Popen(
        command, cwd="/", env={**os.environ, "PYTHONPATH": str(checkout)}, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        process.stdin.write(f'{{"port": {node.port}, "password": "{node.password}"}}\n')
        process.stdin.flush()
        yield process
    finally:
        process.stdin.close()
        process.wait()


def _turn(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())
