"""The replica check: golden twins, every type of column, and the damage only a second copy shows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.checks.replica_rows import ReplicaRows
from chaosday.errors import EvidenceMissing, MalformedInput
from chaosday.judging.proof import sight_of
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from tests.judging import planting
from tests.judging.proving import prove

pytestmark = pytest.mark.kernel
CHECK = ReplicaRows(store="a", replica="a.b")


def pair(store: list[tuple[Any, ...]], replica: list[tuple[Any, ...]], *types: pa.DataType) -> Evidence:
    """Two copies of rows ``(id, ...)`` with the given types after the key."""
    schema = pa.schema([("id", pa.int64()), *((f"c{n}", kind) for n, kind in enumerate(types))])

    def table(rows: list[tuple[Any, ...]]) -> pa.Table:
        return pa.Table.from_arrays(
            [pa.array([row[n] for row in rows], f.type) for n, f in enumerate(schema)], schema=schema
        )

    return Evidence(planting.NOWHERE).replaced(rows={"a": table(store), "a.b": table(replica)})


def named(evidence: Evidence, check: ReplicaRows = CHECK) -> dict[str, list[int | str]]:
    return {a.name: a.keys for a in check.judge(evidence).anomalies}


WHOLE, F, S, T = pa.int64(), pa.float64(), pa.string(), pa.timestamp("us")
CASES = [
    ("the same", [(1, 5), (2, 6)], [(2, 6), (1, 5)], WHOLE, {}),
    ("missing", [(1, 5), (2, 6)], [(1, 5)], WHOLE, {"missing": [2]}),
    ("extra", [(1, 5)], [(1, 5), (3, 5)], WHOLE, {"extra": [3]}),
    ("different", [(1, 5), (2, 6)], [(1, 5), (2, 7)], WHOLE, {"different": [2]}),
    ("twice in the replica", [(1, 5)], [(1, 5), (1, 5)], WHOLE, {"extra": [1]}),
    ("twice in both", [(1, 5), (1, 5), (1, 6)], [(1, 6), (1, 5), (1, 5)], WHOLE, {}),
    ("the replica is empty", [(1, 5), (2, 6)], [], WHOLE, {"missing": [1, 2]}),
    ("null for a number", [(1, 5)], [(1, None)], WHOLE, {"different": [1]}),
    ("null in both", [(1, None)], [(1, None)], WHOLE, {}),
    ("null as a key", [(None, 5)], [(None, 5)], WHOLE, {}),
    ("null is not the empty text", [(1, None)], [(1, "")], S, {"different": [1]}),
    ("trailing space", [(1, "x")], [(1, "x ")], S, {"different": [1]}),
    ("another way to write é", [(1, "\u00e9")], [(1, "e\u0301")], S, {"different": [1]}),
    ("the sign of zero", [(1, 0.0)], [(1, -0.0)], F, {"different": [1]}),
    ("the last bit", [(1, 0.1 + 0.2)], [(1, 0.3)], F, {"different": [1]}),
    ("not a number in both", [(1, float("nan"))], [(1, float("nan"))], F, {}),
    ("a microsecond", [(1, 1_000_000)], [(1, 1_000_001)], T, {"different": [1]}),
]


@pytest.mark.parametrize(("why", "store", "replica", "kind", "damage"), CASES, ids=[case[0] for case in CASES])
def test_every_difference_is_named(
    why: str, store: list[Any], replica: list[Any], kind: pa.DataType, damage: dict[str, list[int]]
) -> None:
    """Missing, extra and different rows by key, down to a bit; equal copies pass in any order."""
    evidence = pair(store, replica, kind)
    assert named(evidence) == damage, why
    assert CHECK.judge(evidence).outcome is (Outcome.VIOLATED if damage else Outcome.PASS)


def test_two_empty_copies_are_inconclusive() -> None:
    """Nothing on both sides is no agreement."""
    assert CHECK.judge(pair([], [], WHOLE)).outcome is Outcome.INCONCLUSIVE


def test_ignored_columns_and_lost_ones() -> None:
    """A column may be left out of the comparison; one that only one side has is a difference."""
    evidence = pair([(1, 5, 1)], [(1, 5, 2)], WHOLE, WHOLE)
    assert named(evidence) == {"different": [1]}
    assert named(evidence, CHECK.model_copy(update={"ignore": ["c1"]})) == {}
    narrow = evidence.replaced(rows={"a.b": evidence.rows("a.b").drop_columns(["c1"])})
    assert named(narrow) == {"different": ["column c1"]}


def test_what_is_not_there_is_said() -> None:
    """A replica that was not read back, or rows without the key, are errors that say what there is."""
    with pytest.raises(EvidenceMissing, match=r"there are a, a\.b"):
        ReplicaRows(store="a", replica="a.c").judge(pair([(1,)], [(1,)]))
    with pytest.raises(MalformedInput, match="no key column k; it has id"):
        ReplicaRows(store="a", replica="a.b", key="k").judge(pair([(1,)], [(1,)]))


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2) | st.none()), max_size=6)


@settings(max_examples=30, deadline=None)
@given(ROWS, ROWS)
def test_counts_are_those_of_multisets(store: list[tuple[int, int]], replica: list[tuple[int, int]]) -> None:
    """The rows that do not pair up are exactly the difference of the two multisets of each key."""
    finding = CHECK.judge(pair(store, replica, WHOLE))
    found = {a.name: a.count for a in finding.anomalies}
    for key in range(4):
        left, right = (Counter(row for row in side if row[0] == key) for side in (store, replica))
        agree = left == right
        named_keys = {k for a in finding.anomalies for k in a.keys}
        assert (key not in named_keys) == agree
    assert found.get("missing", 0) - found.get("extra", 0) == len(store) - len(replica)


def test_every_damage_to_a_replica_is_seen() -> None:
    """The replica check catches each class that applies to a ledger's replica, and names it."""
    run = planting.simulated(400)
    evidence = run.replaced(rows={"survivor.standby": run.rows("survivor")})
    proof = prove(evidence, [ReplicaRows()], sizes=[1, 5], repetitions=1, budget_s=120)
    replica = [cell for cell in proof.cells if cell.planted and cell.corruption.startswith("replica_")]
    assert len(replica) >= 7
    assert [(c.corruption, c.why) for c in replica if c.status != "caught" or c.localised < c.caught] == []
    assert sight_of(proof, [cell.corruption for cell in replica]).proven


def test_a_diverged_pair_is_silent_once_made_equal() -> None:
    """Where the copies differ, the same check says nothing about two equal ones."""
    run = planting.simulated(200)
    evidence = run.replaced(rows={"survivor.standby": run.rows("survivor").slice(3)})
    (control,) = prove(evidence, [ReplicaRows()], sizes=[1], repetitions=1).controls
    assert control.silent is True, control.why
