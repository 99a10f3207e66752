"""How far Kafka is reached: how soon its lab is ready, how fast and how well its histories are judged."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import histories
from chaosday.checks.kafka import Kafka
from chaosday.judging.proof import all_corruptions
from chaosday.lab import kafka_jars
from chaosday.lab.stands import stand
from chaosday.model.evidence import Evidence
from chaosday.model.history import History

ROUNDS = 5


def measured(quick: bool) -> dict[str, Any]:
    """The same whether ``quick`` or not: ``kafka_ready_s`` (three brokers), ``kafka_check_1m_s`` and its ``_cpu_s``,
    ``kafka_check_right``, ``kafka_anomalies_planted`` and ``_caught``."""
    return {"kafka_ready_s": _ready(), **_check(1_000_000), **_sight()}


def _ready() -> float:
    kafka_jars.folder()  # fetching them is no part of being ready
    folder = Path(tempfile.mkdtemp(prefix="chaosday-reach-"))
    folder.chmod(0o711)
    try:
        with stand("kafka", folder, {"brokers": 3}) as facts:
            return round(float(facts["ready_s"]), 2)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(count: int) -> dict[str, Any]:
    """The slower of a sound history and one in which five messages are lost, the best of three each."""
    walls, cpus, right = [], [], True
    for planted in (0, 5):
        history = histories.kafka(count, 1, planted=planted)
        taken = []
        for _ in range(3):
            began, used = time.perf_counter(), time.process_time()
            result = Kafka().analyse(history)
            taken.append((time.perf_counter() - began, time.process_time() - used))
            right &= result["anomaly-counts"].get("lost-write", 0) == planted
            right &= result["valid?"] is (planted == 0)
        walls.append(min(wall for wall, _ in taken))
        cpus.append(min(cpu for _, cpu in taken))
    timed = {"kafka_check_1m_s": round(max(walls), 2), "kafka_check_1m_cpu_s": round(max(cpus), 2)}
    return {**timed, "kafka_check_right": right}


def _sight() -> dict[str, int]:
    """Each kind of damage to logs, planted in sound evidence of several sizes: how often the check noticed."""
    sound = _sound()
    assert Kafka().judge(sound).outcome == "pass"
    planted = caught = 0
    for corruption in (each for each in all_corruptions() if "log" in each.stores):
        for seed in range(ROUNDS):
            for size in (1, 3):
                damaged = corruption.plant(sound, size, np.random.default_rng(seed))
                planted += 1
                caught += Kafka().judge(damaged.evidence).outcome == "violated"
    return {"kafka_anomalies_planted": planted, "kafka_anomalies_caught": caught}


def _sound() -> Evidence:
    rows: list[dict[str, Any]] = []
    for n in range(120):
        key, offset = str(n % 2), n // 2
        for process, f, value, result in (
            (n % 3, "send", [["send", key, n]], [["send", key, [offset, n]]]),
            (3, "poll", [["poll"]], [["poll", {key: [[offset, n]]}]]),
        ):
            times = {"start_ns": 10 * len(rows), "end_ns": 10 * len(rows) + 5}
            rows.append({"process": process, "f": f, "value": value, "result": result, "status": "ok", **times})
    return Evidence(Path("none")).replaced(history=History.from_rows(rows))
