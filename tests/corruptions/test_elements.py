"""Damage to what was read in the end: the checks of sets and queues name each piece of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chaosday.checks.set import SetOfAdds
from chaosday.checks.total_queue import TotalQueue
from chaosday.checks.unique_ids import UniqueIds
from chaosday.corruptions.ids.id_doubled import IdDoubled
from chaosday.judging.sight import sight_of
from chaosday.model.check import Check
from chaosday.model.corruption import Corruption, NotApplicable
from chaosday.model.evidence import Evidence
from chaosday.model.history import History
from chaosday.registry import member
from tests.judging.proving import prove

pytestmark = pytest.mark.kernel


def history(puts: str, reads: str, count: int = 60) -> Evidence:
    """So many elements went in, every tenth of them without an answer, and all came out."""
    rows: list[dict[str, Any]] = [
        {"process": n % 3, "f": puts, "key": None, "value": n, "result": None, "start_ns": 10 * n, "end_ns": 10 * n + 5,
         "status": "unknown" if n % 10 == 9 else "ok", "error": None}
        for n in range(count)
    ]  # fmt: skip
    whole = {"process": 9, "f": reads, "key": None, "value": None, "result": list(range(count)), "start_ns": 10**6,
             "end_ns": 10**6 + 1, "status": "ok", "error": None}  # fmt: skip
    return Evidence(Path("none")).replaced(history=History.from_rows([*rows, whole]))


KINDS = [
    ("element_lost", "add", "read", SetOfAdds()),
    ("element_forged", "add", "read", SetOfAdds()),
    ("message_lost", "enqueue", "drain", TotalQueue()),
    ("message_forged", "enqueue", "drain", TotalQueue()),
    ("message_duplicated", "enqueue", "drain", TotalQueue(once=True)),
]


@pytest.mark.parametrize(("kind", "puts", "reads", "check"), KINDS)
@pytest.mark.parametrize("size", [1, 7])
def test_what_is_planted_is_named(kind: str, puts: str, reads: str, check: Check, size: int) -> None:
    """Sound evidence passes; with damage exactly the damaged elements are named."""
    sound = history(puts, reads)
    assert check.judge(sound).outcome == "pass"
    corruption = member("corruptions", kind)()
    assert isinstance(corruption, Corruption)
    planted = corruption.plant(sound, size, np.random.default_rng(1))
    assert len(planted.keys) == size
    assert check.judge(planted.evidence).damaged_keys() == planted.keys


@pytest.mark.parametrize(("kind", "puts", "reads", "check"), KINDS)
def test_where_nothing_was_read_nothing_is_planted(kind: str, puts: str, reads: str, check: Check) -> None:
    """Without a last reading there is nothing to damage."""
    evidence = history(puts, reads)
    unread = evidence.replaced(history=evidence.history().where(evidence.history().is_f(puts)))
    corruption = member("corruptions", kind)()
    assert isinstance(corruption, Corruption)
    with pytest.raises(NotApplicable):
        corruption.plant(unread, 1, np.random.default_rng(1))


@pytest.mark.parametrize("size", [1, 7])
def test_a_doubled_identifier_is_named(size: int) -> None:
    """Identifiers that two clients were given, and no others."""
    rows = [
        {"process": n % 3, "f": "generate", "key": None, "value": None, "result": n, "start_ns": 10 * n,
         "end_ns": 10 * n + 5, "status": "ok", "error": None}
        for n in range(60)
    ]  # fmt: skip
    sound = Evidence(Path("none")).replaced(history=History.from_rows(rows))
    assert UniqueIds().judge(sound).outcome == "pass"
    planted = IdDoubled().plant(sound, size, np.random.default_rng(1))
    found = UniqueIds().judge(planted.evidence)
    assert {str(key) for key in found.damaged_keys()} == planted.keys
    assert sight_of(prove(sound, [UniqueIds()], repetitions=2, budget_s=600)).proven


@pytest.mark.parametrize(("puts", "reads", "check"), [("add", "read", SetOfAdds()), ("enqueue", "drain", TotalQueue())])
def test_the_second_proof_holds(puts: str, reads: str, check: Check) -> None:
    """A run of a set or a queue can show that its check has sight."""
    matrix = prove(history(puts, reads), [check], repetitions=2, budget_s=600)
    sight = sight_of(matrix)
    assert sight.proven, sight.reasons
