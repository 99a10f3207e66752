"""Damage to objects: each class says what it damaged, and the object ledger sees all of it and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from chaosday.checks.s3_ledger import S3Ledger
from chaosday.clients.object_content import OBJECTS, SHARED_FROM
from chaosday.model.corruption import Corruption, NotApplicable
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.registry import members

KINDS = [kind for kind, one in members("corruptions").items() if "objects" in one.stores]  # type: ignore[attr-defined]


def run(seed: int, keys: int = 200) -> Evidence:
    """A sound run: puts, overwrites and deletions of own keys, and creations of shared ones of which one was taken."""
    rng, rows, held = np.random.default_rng(seed), [], {}

    def add(f: str, key: int, value: int | None, status: str = "ok", result: int | None = None) -> None:
        at = len(rows) * 10
        row = {"process": 0, "f": f, "key": key, "value": value, "result": result, "status": status}
        rows.append(row | {"start_ns": at, "end_ns": at + 5})

    for key in range(1, keys + 1):
        for _ in range(int(rng.integers(1, 4))):
            held[key] = int(rng.integers(1, 1 << 60))
            add("put", key, held[key])
        add("get", key, None, result=held[key])
        if rng.random() < 0.3:
            add("delete", key, 0)
            del held[key]
    for key in range(SHARED_FROM, SHARED_FROM + 20):
        held[key] = int(rng.integers(1, 1 << 60))
        add("create", key, held[key], result=0)
        add("create", key, int(rng.integers(1, 1 << 60)), "failed", 0)
    table = pa.table([list(held), list(held.values()), list(held), [300] * len(held)], schema=OBJECTS)
    return Evidence(Path("nowhere")).replaced(history=History.from_rows(rows), rows={"objects": table})


def test_there_are_classes() -> None:
    """The registry was really asked."""
    assert len(KINDS) == 7


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 5, 20])
def test_all_of_it_is_seen_and_nothing_else(kind: str, size: int) -> None:
    """Exactly the damaged keys are named; the run without damage passes."""
    evidence = run(size)
    assert S3Ledger().judge(evidence).outcome is Outcome.PASS
    corruption = members("corruptions")[kind]()
    assert isinstance(corruption, Corruption)
    planted = corruption.plant(evidence, size, np.random.default_rng(size))
    assert len(planted.keys) == size
    finding = S3Ledger().judge(planted.evidence)
    assert finding.outcome is Outcome.VIOLATED
    assert finding.damaged_keys() == planted.keys


@pytest.mark.parametrize("kind", KINDS)
def test_says_when_there_is_nothing_to_damage(kind: str) -> None:
    """Too few candidates is a word, never a smaller damage than was asked for."""
    corruption = members("corruptions")[kind]()
    assert isinstance(corruption, Corruption)
    with pytest.raises(NotApplicable):
        corruption.plant(run(1), 5000, np.random.default_rng(1))
