"""Damage to logs is what the check of logs is there to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chaosday.checks.kafka import Kafka
from chaosday.judging.proof import all_corruptions, sight_of
from chaosday.model.corruption import NotApplicable
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from tests.judging import planting
from tests.judging.proving import prove

pytestmark = pytest.mark.kernel

CLASSES = {
    "log_aborted_read": "G1a",
    "log_duplicated": "duplicate",
    "log_message_forged": "unwritten-read",
    "log_message_lost": "lost-write",
    "log_offset_reused": "inconsistent-offsets",
    "log_poll_reordered_within": "int-nonmonotonic-poll",
    "log_poll_repeated": "nonmonotonic-poll",
    "log_poll_skipped": "poll-skip",
    "log_poll_skipped_within": "int-poll-skip",
    "log_precommitted_read": "precommitted-read",
    "log_read_cycle": "G1c",
    "log_send_reordered": "nonmonotonic-send",
    "log_send_reordered_within": "int-nonmonotonic-send",
    "log_unseen": "unseen",
}


def produced(count: int = 60, *, subscribe: bool = False) -> Evidence:
    """Two producers, two logs, one consumer that has seen everything in the end."""
    rows: list[dict[str, Any]] = []
    at = {"t-0": 0, "t-1": 0}

    def add(process: int, f: str, value: Any, result: Any) -> None:
        times = {"start_ns": 10 * len(rows), "end_ns": 10 * len(rows) + 5}
        rows.append({"process": process, "f": f, "value": value, "result": result, "status": "ok", **times})

    if subscribe:
        add(2, "subscribe", ["t-0", "t-1"], ["t-0", "t-1"])
    for n in range(count):
        key = f"t-{n % 3 % 2}"
        add(n % 2, "send", [["send", key, n]], [["send", key, [at[key], n]]])
        add(2, "poll", [["poll"]], [["poll", {key: [[at[key], n]]}]])
        at[key] += 1
    return Evidence(planting.NOWHERE).replaced(history=History.from_rows(rows))


def test_every_anomaly_is_seen_and_named() -> None:
    """Sound logs pass; each planted anomaly is caught, and sight is proven."""
    evidence = produced()
    assert Kafka().judge(evidence).outcome is Outcome.PASS
    proof = prove(evidence, [Kafka()], sizes=[1, 3], repetitions=2, budget_s=600)
    planted = [cell for cell in proof.cells if cell.planted]
    assert {cell.corruption for cell in planted} == CLASSES.keys()
    assert [(cell.corruption, cell.why) for cell in planted if cell.status != "caught"] == []
    assert all(cell.localised for cell in planted)
    assert sight_of(proof).proven, sight_of(proof).reasons


@pytest.mark.parametrize("kind", CLASSES)
def test_damage_goes_by_its_name(kind: str) -> None:
    """The check names what was planted, and the log that it was planted in."""
    corruption = next(each for each in all_corruptions() if each.kind == kind)
    planted = corruption.plant(produced(), 1, np.random.default_rng(1))
    found = Kafka().judge(planted.evidence)
    anomaly = found.anomaly(CLASSES[kind])
    assert anomaly is not None
    assert planted.keys <= found.damaged_keys()


def test_where_consumers_subscribe_skips_are_not_asked_for() -> None:
    """A rebalance between two polls may skip and repeat: nothing is planted that is allowed."""
    for kind in ("log_poll_skipped", "log_poll_repeated"):
        corruption = next(each for each in all_corruptions() if each.kind == kind)
        with pytest.raises(NotApplicable):
            corruption.plant(produced(subscribe=True), 1, np.random.default_rng(1))
