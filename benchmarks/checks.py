"""How fast, how large and how right the checks of histories are.

Every timed check runs in a process of its own that reads its history from Parquet, so that its
memory is its own; the time is the best of several, of the check alone. A result that is not what
was planted counts as not right, whatever it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import histories
from chaosday.data import formats
from chaosday.data.formats.rows import write_jsonl
from chaosday.model.history import History
from chaosday.record.recorder import collector_off

_CHILD = """
import json, resource, sys, time
from pathlib import Path
from chaosday.model.history import History
from chaosday.registry import member
kind, options, path, times = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
check, history = member("checks", kind)(**options), History.read(path)
best = []
for _ in range(times):
    begun = time.perf_counter()
    result = check.analyse(history)
    best.append(time.perf_counter() - begun)
mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
said = {"valid": result["valid?"], "types": result["anomaly-types"], "examined": result["examined"]}
print(json.dumps({"s": round(min(best), 4), "mb": round(mb), **said}))
"""


def run(quick: bool) -> dict[str, Any]:
    """The table: seconds, megabytes and whether it was right, for each size; then ingest, corpora and oracles."""
    scale = 10 if quick else 1
    measured: dict[str, Any] = {"corpora": _corpora()}
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        million, times = 1_000_000 // scale, 3
        measured["register_1m"] = _timed(here, "register", {}, [(_register(million, 1000), True, [])], times)
        measured["register_10m"] = _timed(here, "register", {}, [(_register(10 * million, 10_000), True, [])], 1)
        for clients in (16, 32):
            twins: list[_Twin] = [
                (lambda c=clients: histories.registers(10_000, 1, c, 1), True, []),
                (lambda c=clients: histories.registers(10_000, 1, c, 1, stale=True), False, ["stale-read"]),
            ]
            measured[f"one_key_{clients}"] = _timed(here, "register", {}, twins, times)
        stale = ["G-single-item"]
        measured["list_append_1m"] = _timed(
            here,
            "list-append",
            {},
            [
                (lambda: histories.list_append(million, 1, planted=5), False, stale),
                (lambda: histories.list_append(million, 1), True, []),
            ],
            times,
        )
        options = {"wfr_keys": True}
        measured["rw_register_1m"] = _timed(
            here,
            "rw-register",
            options,
            [
                (lambda: histories.rw_register(million, 1, planted=5), False, ["lost-update"]),
                (lambda: histories.rw_register(million, 1), True, []),
            ],
            times,
        )
        measured |= _ingest(here, 400_000 // scale)
    return measured | _oracles(500 if quick else 10_000)


_Twin = tuple[Callable[[], History], bool, list[str]]


def _register(count: int, keys: int) -> Callable[[], History]:
    return lambda: histories.registers(count, keys, 32, 1)


def _timed(here: Path, kind: str, options: dict[str, Any], twins: list[_Twin], times: int) -> dict[str, Any]:
    """The slower and larger of the twins; right only if each has its verdict, its anomalies and every operation."""
    found = []
    for make, valid, types in twins:
        path = here / "history.parquet"
        _apart(make, path)
        said = _child(kind, options, path, times)
        said["right"] = said.pop("valid") is valid and set(types) <= set(said.pop("types")) and said.pop("examined") > 0
        found.append(said)
    return {
        "s": max(said["s"] for said in found),
        "mb": max(said["mb"] for said in found),
        "right": all(said["right"] for said in found),
    }


def _apart(make: Callable[[], History], path: Path) -> None:
    """Write a history in a fork, so that making it leaves no memory behind."""
    child = os.fork()
    if child == 0:
        make().write(path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("a history could not be made")


def _child(kind: str, options: dict[str, Any], path: Path, times: int) -> dict[str, Any]:
    command = [sys.executable, "-c", _CHILD, kind, json.dumps(options), str(path), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _ingest(here: Path, count: int) -> dict[str, int]:
    """Transactions a second from JSON lines and from Parquet."""
    history = histories.list_append(count, 1)
    text, binary = here / "history.jsonl", here / "history.parquet"
    text.write_text(write_jsonl(history))
    history.write(binary)
    del history
    return {
        "ingest_jsonl_per_s": _rate(lambda: len(formats.read(text, "jsonl").history), 3),
        "ingest_parquet_per_s": _rate(lambda: len(formats.read(binary).history), 3),
    }


def _rate(read: Callable[[], int], times: int) -> int:
    best = 0.0
    for _ in range(times):
        begun = time.perf_counter()
        with collector_off():
            count = read()
        best = max(best, count / (time.perf_counter() - begun))
    return int(best)


def _corpora() -> dict[str, int]:
    """Published cases, and of how many our verdict, anomaly types and models are theirs."""
    root = os.environ.get("CHAOSDAY_CORPORA")
    if not root:
        return {"cases": 0, "right": 0}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/checkers/test_corpora.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = done.stdout.strip().splitlines()[-1].replace(",", "").split()
    counts = {word: int(number) for number, word in pairwise(words) if number.isdigit()}
    return {"cases": counts.get("passed", 0) + counts.get("failed", 0), "right": counts.get("passed", 0)}


def _oracles(count: int) -> dict[str, int]:
    """Small random histories of each kind, judged by the check and by trying everything."""
    from tests.checkers.oracles import ORACLES, compare

    differ = sum(len(compare(name, count, seed=7)) for name in ORACLES)
    return {"oracle_histories": count * len(ORACLES), "oracle_disagreements": differ}
