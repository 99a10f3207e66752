"""The demo in figures: right verdicts, cold and warm times, kills at random moments, operations a second."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from chaosday.model.target import Postgres
from chaosday.record.recorder import seal
from chaosday.servers import postgres
from chaosday.targets.postgresql import PostgreSQL
from chaosday.workloads.ledger import Ledger
from tests.flows.demo.test_arms import finished, lost_by_plain_sql
from tests.flows.demo.test_demo import COMMAND, environment
from tests.leftovers import seconds_until_gone

EXPECTED = {"asynchronous": "violated", "synchronous": "pass"}
ROOT = Path(__file__).resolve().parent.parent
LOAD_S = 5.0


def run(*, quick: bool) -> dict[str, Any]:
    """``right`` counts demos with both verdicts right, ``agreed`` arms whose lost keys a plain query confirms."""
    folder = Path(tempfile.mkdtemp(prefix="chaosday-figures-"))
    folder.chmod(0o711)
    try:
        demos = _demos(folder, 2 if quick else 20)
        return {
            **demos,
            **_agreement(folder, 1 if quick else 10),
            **_kills(folder, 4 if quick else 40),
            **_load(folder),
            "kernel_tests_s": _kernel_tests(),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _demos(folder: Path, count: int) -> dict[str, Any]:
    right, times = 0, []
    for number in range(count):
        place = folder / f"demo-{number}"
        place.mkdir()
        place.chmod(0o711)
        began = time.monotonic()
        done = subprocess.run(COMMAND, env=environment(place), cwd=place, capture_output=True, text=True, check=False)
        times.append(round(time.monotonic() - began, 1))
        said = json.loads(done.stdout) if done.returncode in (0, 1) and done.stdout else {"arms": []}
        right += {arm["name"]: arm["verdict"] for arm in said["arms"]} == EXPECTED
        shutil.rmtree(place, ignore_errors=True)
    # Every one has an empty home; the first also reads everything from disk for the first time.
    return {"runs": count, "right": right, "cold_s": times[0], "warm_s": sorted(times)[len(times) // 2]}


def _agreement(folder: Path, count: int) -> dict[str, Any]:
    agreed = 0
    for number in range(count):
        for arm in ("asynchronous", "synchronous"):
            with finished(arm, folder / f"arm-{arm}-{number}") as done:
                _, missing = lost_by_plain_sql(done)
                findings = done.directory.read_json("findings.json")
                ledger = next(each for each in findings if each["check"] == "ledger")
                counted = sum(each["count"] for each in ledger["anomalies"] if each["name"] == "lost")
                agreed += counted == len(missing) and done.lost <= missing
    return {"agreement_arms": 2 * count, "agreed": agreed}


def _kills(folder: Path, count: int) -> dict[str, Any]:
    residues, slowest = 0, 0.0
    for number in range(count):
        place = folder / f"kill-{number}"
        place.mkdir()
        place.chmod(0o711)
        process = subprocess.Popen(
            COMMAND,
            env=environment(place),
            cwd=place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(random.Random(number).uniform(0.5, 30))
        process.send_signal(signal.SIGKILL)
        process.wait()
        gone_s = seconds_until_gone(str(place))
        residues += gone_s is None
        slowest = max(slowest, gone_s or 0.0)
        shutil.rmtree(place, ignore_errors=True)
    return {"kills": count, "residues": residues, "gone_after_s_max": round(slowest, 2)}


def _load(folder: Path) -> dict[str, Any]:
    """Acknowledged operations a second of the ledger workload, beside bare psycopg on the same server in turns."""
    node = postgres.primary(folder, name="load")
    try:
        target = PostgreSQL.model_validate({"port": node.port, "password": node.password})
        ours, bare = [], []
        for turn in range(2):
            ours.append(_ledger_rate(target, folder / f"load-{turn}", turn))
            bare.append(_bare_rate(target))
        return {
            "acknowledged_per_s": round(max(ours)),
            "bare_psycopg_per_s": round(max(bare)),
            "overhead": round(1 - max(ours) / max(bare), 3),
            "clients": 8,
        }
    finally:
        node.stop()


def _ledger_rate(target: PostgreSQL, directory: Path, turn: int) -> float:
    workload = Ledger(clients=8, scope=f"load_{turn}")
    workload.prepare(target)
    stop = threading.Event()
    timer = threading.Timer(LOAD_S, stop.set)
    timer.start()
    workload.run(target, directory, stop, seed=turn)
    history = seal(directory, directory.with_suffix(".parquet"))
    starts, ends = history.integers("start_ns"), history.integers("end_ns")
    return int((history.statuses() == 0).sum()) / ((int(ends.max()) - int(starts.min())) / 1e9)


def _bare_rate(target: PostgreSQL) -> float:
    with target.capability(Postgres).connect() as connection:
        connection.execute("drop table if exists bare")
        connection.execute("create table bare (id bigint primary key, version int, value bigint, checksum bigint)")
    done = [0] * 8
    stop = threading.Event()

    def client(number: int) -> None:
        with target.capability(Postgres).connect() as connection:
            row = 0
            while not stop.is_set():
                row += 1
                connection.execute("insert into bare values (%s, 1, %s, %s)", (number << 40 | row, row, row))
                done[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    stop.wait(LOAD_S)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def _kernel_tests() -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "kernel"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        check=True,
    )
    return round(time.monotonic() - began, 1)
