"""The ledger check: golden twins, ends that prove nothing, and a slow oracle beside it."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.checks.ledger import LedgerCheck
from chaosday.clients.ledger import checksum
from chaosday.errors import EvidenceMissing, MalformedHistory, MalformedInput
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Outcome
from tests.judging import planting

KINDS = ("lost", "unexpected", "duplicated", "stale", "torn", "reordered")


def named(evidence: Evidence) -> dict[str, set[int]]:
    """Every kind of damage with the keys that it names."""
    return {a.name: set(a.keys) for a in LedgerCheck().judge(evidence).anomalies}


BAD = [
    ("an acknowledged insert is gone", ["1 insert 7 ok", "2 insert 8 ok"], [(2, 1, 8)], {"lost": {1}}),
    ("an acknowledged update proves the row", ["1 insert 7 unknown", "1 update 8 ok 2"], [], {"lost": {1}}),
    ("nobody wrote row 9", ["1 insert 7 ok"], [(1, 1, 7), (9, 1, 7)], {"unexpected": {9}}),
    ("the insert failed", ["1 insert 7 ok", "2 insert 8 failed"], [(1, 1, 7), (2, 1, 8)], {"unexpected": {2}}),
    ("the update failed", ["1 insert 7 ok", "1 update 8 failed 2"], [(1, 2, 8)], {"unexpected": {1}}),
    (
        "the failed update's content under a version written otherwise",
        ["1 insert 7 ok", "1 update 8 failed", "1 update 9 ok 2"],
        [(1, 2, 8)],
        {"unexpected": {1}},
    ),
    ("a version nobody reached", ["1 insert 7 ok"], [(1, 3, 7)], {"unexpected": {1}}),
    ("a version before the first", ["1 insert 7 ok"], [(1, 0, 7)], {"unexpected": {1}}),
    ("twice", ["1 insert 7 ok"], [(1, 1, 7, 1), (1, 1, 7, 2)], {"duplicated": {1}}),
    ("the update is gone", ["1 insert 7 ok", "1 update 8 ok 2"], [(1, 1, 7)], {"stale": {1}}),
    (
        "stale though something newer is unknown",
        ["1 insert 7 ok", "1 update 8 ok 2", "1 update 9 unknown"],
        [(1, 1, 7)],
        {"stale": {1}},
    ),
    ("a value of no attempt", ["1 insert 7 ok"], [(1, 1, 6)], {"torn": {1}}),
    ("half of two versions", ["1 insert 7 ok", "1 update 8 ok 2"], [(1, 2, 7)], {"torn": {1}}),
    ("a checksum that does not fit", ["1 insert 7 ok"], [(1, 1, 7, 1, 12345)], {"torn": {1}}),
    ("order", ["1 insert 7 ok", "2 insert 8 ok"], [(1, 1, 7, 5), (2, 1, 8, 4)], {"reordered": {2}}),
    (
        "an unknown insert is never early",
        ["1 insert 7 ok", "2 insert 8 unknown"],
        [(1, 1, 7, 5), (2, 1, 8, 4)],
        {"reordered": {2}},
    ),
    (
        "the row of a failed insert says nothing of the order",
        ["1 insert 7 ok", "2 insert 8 failed", "3 insert 9 ok"],
        [(1, 1, 7, 1), (2, 1, 8, 9), (3, 1, 9, 5)],
        {"unexpected": {2}},
    ),
    (
        "one stale copy and one current one are a duplicate, not stale",
        ["1 insert 7 ok", "1 update 8 ok 2"],
        [(1, 1, 7, 1), (1, 2, 8, 2)],
        {"duplicated": {1}},
    ),
]
GOOD = [
    ("as written", ["1 insert 7 ok", "1 update 8 ok 2", "2 insert 9 ok"], [(1, 2, 8), (2, 1, 9)], 0),
    ("unknown and absent", ["1 insert 7 ok", "2 insert 8 unknown"], [(1, 1, 7)], 0),
    ("unknown and present", ["1 insert 7 ok", "2 insert 8 unknown"], [(1, 1, 7), (2, 1, 8)], 1),
    ("unknown update present", ["1 insert 7 ok", "1 update 8 unknown"], [(1, 2, 8)], 1),
    ("unknown update of a stated version", ["1 insert 7 ok", "1 update 8 unknown 2"], [(1, 2, 8)], 1),
    (
        "two unknown updates, the later one alone",
        ["1 insert 7 ok", "1 update 8 unknown", "1 update 9 unknown"],
        [(1, 2, 9)],
        1,
    ),
    ("two unknown updates, both", ["1 insert 7 ok", "1 update 8 unknown", "1 update 9 unknown"], [(1, 3, 9)], 1),
    ("failed and absent", ["1 insert 7 ok", "2 insert 8 failed", "1 update 9 failed 2"], [(1, 1, 7)], 0),
    ("concurrent inserts in any order", ["1 insert 7 ok@0-10", "2 insert 8 ok@10-20"], [(1, 1, 7, 5), (2, 1, 8, 4)], 0),
    ("an unknown insert may be late", ["1 insert 7 unknown", "2 insert 8 ok"], [(1, 1, 7, 5), (2, 1, 8, 4)], 1),
    ("tried again after a failure", ["1 insert 7 ok", "1 update 8 failed 2", "1 update 9 ok 2"], [(1, 2, 9)], 0),
]


@pytest.mark.parametrize(("why", "operations", "found", "damage"), BAD, ids=[case[0] for case in BAD])
def test_damage_is_named(
    why: str, operations: list[str], found: list[tuple[int, ...]], damage: dict[str, set[int]]
) -> None:
    """Each kind of damage is found under its own name, with its key and nothing else."""
    assert named(planting.ledger(*operations, found=found)) == damage, why


@pytest.mark.parametrize(("why", "operations", "found", "recovered"), GOOD, ids=[case[0] for case in GOOD])
def test_what_may_be_is_not_damage(
    why: str, operations: list[str], found: list[tuple[int, ...]], recovered: int
) -> None:
    """Whatever an indeterminate end allows is a pass; unknown operations found present are counted."""
    finding = LedgerCheck().judge(planting.ledger(*operations, found=found))
    assert (finding.outcome, finding.result["recovered"]) == (Outcome.PASS, recovered), why


@pytest.mark.parametrize("operations", [[], ["1 insert 7 failed"], ["1 insert 7 unknown"]])
def test_nothing_acknowledged_is_inconclusive(operations: list[str]) -> None:
    """Where nothing was acknowledged nothing can have been lost, and that is not a pass."""
    finding = LedgerCheck().judge(planting.ledger(*operations))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.examined == 0


def test_an_empty_store_has_lost_everything() -> None:
    """Zero rows against acknowledged writes is loss, not an empty pass; the count is exact beyond the keys shown."""
    many = [f"{key} insert 1 ok" for key in range(KEYS_SHOWN + 5)]
    lost = LedgerCheck().judge(planting.ledger(*many)).anomaly("lost")
    assert lost is not None
    assert (lost.count, len(lost.keys)) == (KEYS_SHOWN + 5, KEYS_SHOWN)


def test_the_bound_on_the_loss_rate() -> None:
    """A clean run of n rows reports the rule of three; a lossy one its exact upper bound."""
    many = [f"{key} insert 1 ok" for key in range(300)]
    clean = LedgerCheck().judge(planting.ledger(*many, found=[(key, 1, 1) for key in range(300)]))
    lossy = LedgerCheck().judge(planting.ledger(*many, found=[(key, 1, 1) for key in range(299)]))
    assert clean.result["loss_upper_bound_95"] == pytest.approx(1 - 0.05 ** (1 / 300))
    assert lossy.result["loss_upper_bound_95"] == pytest.approx(0.01572, abs=1e-5)


@pytest.mark.parametrize(
    ("evidence", "error"),
    [
        (planting.ledger("1 update 7 ok"), MalformedHistory),
        (planting.ledger("1 insert 7 ok", store="elsewhere"), EvidenceMissing),
        (
            planting.ledger("1 insert 7 ok").replaced(rows={"survivor": planting.rows().drop_columns(["checksum"])}),
            MalformedInput,
        ),
    ],
    ids=["no version", "no rows", "no checksum"],
)
def test_evidence_that_cannot_be_judged_says_so(evidence: Evidence, error: type[Exception]) -> None:
    """Evidence that breaks the contract is an error in words, not a finding."""
    with pytest.raises(error):
        LedgerCheck().judge(evidence)


def test_other_workloads_in_the_same_history() -> None:
    """A bank's JSON in the same columns leaves the ledger's numbers as they are."""
    history = planting.history("1 insert 7 ok", "2 insert 8 ok")
    both = type(history).from_rows(
        [
            *history.table.to_pylist(),
            {"index": 2, "process": 9, "f": "transfer", "key": 1, "value": {"to": 2}, "status": "ok"},
        ]
    )
    evidence = planting.ledger(found=[(1, 1, 7)]).replaced(history=both)
    assert named(evidence) == {"lost": {2}}


def test_null_in_a_row_is_damage() -> None:
    """A null where the store may hold none is a torn row, not a crash."""
    table = planting.rows((1, 1, 7), (2, 1, 8))
    holed = table.set_column(2, "value", pa.array([7, None], pa.int64()))
    evidence = planting.ledger("1 insert 7 ok", "2 insert 8 ok").replaced(rows={"survivor": holed})
    assert named(evidence) == {"torn": {2}}


def slow(ops: list[dict[str, int]], found: list[tuple[int, int, int, int, int]]) -> dict[str, set[int]]:
    """The definitions, one row and one pair at a time."""
    damage: dict[str, set[int]] = {kind: set() for kind in KINDS}
    live = [op for op in ops if op["status"] != "failed"]
    ids = {row[0] for row in found}
    good: dict[int, list[int]] = {}
    for key, version, value, _, stored in found:
        mine = [op for op in live if op["key"] == key]
        top = max([op["result"] or 0 for op in mine] + [len(mine) * any(op["result"] is None for op in mine)] or [0])

        def wrote(op: dict[str, int], version: int = version, value: int = value) -> bool:
            return op["value"] == value and op["result"] in (version, None)

        dead = [op for op in ops if op["status"] == "failed" and op["key"] == key]
        if not mine:
            damage["unexpected"].add(key)
        elif stored != checksum(key, version, value):
            damage["torn"].add(key)
        elif not 1 <= version <= top:
            damage["unexpected"].add(key)
        elif any(wrote(op) for op in mine):
            good.setdefault(key, []).append(version)
        else:
            damage["unexpected" if any(wrote(op) for op in dead) else "torn"].add(key)
    for key in {op["key"] for op in live if op["status"] == "ok"}:
        best = max(op["result"] for op in live if op["key"] == key and op["status"] == "ok")
        if key not in ids:
            damage["lost"].add(key)
        elif key in good and max(good[key]) < best:
            damage["stale"].add(key)
    times = Counter(row[0] for row in found)
    damage["duplicated"] = {key for key, count in times.items() if count > 1}
    placed = {row[0]: row[3] for row in found if times[row[0]] == 1}
    first = {op["key"]: op for op in reversed(live) if op["f"] == "insert" and op["key"] in placed}
    for b, op_b in first.items():
        for a, op_a in first.items():
            before = op_a["status"] == "ok" and op_a["end_ns"] < op_b["start_ns"]
            if before and placed[a] > placed[b]:
                damage["reordered"].add(b)
    return {kind: keys for kind, keys in damage.items() if keys}


KEY, VALUE, STATUS = st.integers(0, 4), st.integers(0, 2), st.sampled_from(["ok", "failed", "unknown"])


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[dict[str, object]], list[tuple[int, int, int, int, int]]]:
    """Few keys, few values and few moments, so that everything collides."""
    ops: list[dict[str, object]] = []
    for _ in range(draw(st.integers(0, 9))):
        status, inserting = draw(STATUS), draw(st.booleans())
        version = draw(st.integers(1, 4))
        start = draw(st.integers(0, 12))
        known = status == "ok" or draw(st.booleans())
        ops.append(
            {
                "process": len(ops),
                "f": "insert" if inserting else "update",
                "key": draw(KEY),
                "value": draw(VALUE),
                "result": 1 if inserting else version if known else None,
                "start_ns": start,
                "end_ns": start + draw(st.integers(0, 6)),
                "status": status,
            }
        )
    found = []
    for _ in range(draw(st.integers(0, 6))):
        row = (draw(st.integers(0, 5)), draw(st.integers(0, 4)), draw(VALUE), draw(st.integers(0, 9)))
        stored = checksum(*row[:3]) if draw(st.integers(0, 4)) else 5
        found.append((*row, stored))
    return ops, found


@settings(max_examples=400, deadline=None)
@given(runs())
def test_agrees_with_the_definitions(
    run: tuple[list[dict[str, int]], list[tuple[int, int, int, int, int]]],
) -> None:
    """On any history and any rows the columnar check names what the definitions name."""
    ops, found = run
    evidence = Evidence(planting.NOWHERE).replaced(
        history=planting.History.from_rows(ops), rows={"survivor": planting.rows(*found)}
    )
    assert named(evidence) == slow(ops, found)


@pytest.mark.parametrize("seed", range(5))
def test_a_sound_store_raises_no_alarm(seed: int) -> None:
    """A store that keeps its promises passes, with failures, late effects and reordering allowed for."""
    finding = LedgerCheck().judge(planting.simulated(3_000, seed=seed, unsettled_share=0.2, update_share=0.6))
    assert finding.outcome is Outcome.PASS, finding.anomalies
    assert finding.result["recovered"] > 0


def test_a_simulated_client_does_one_thing_at_a_time() -> None:
    """Nobody's operation begins before the one before it has ended."""
    history = planting.simulated(300, seed=1).history()
    process, start, end = (history.integers(name) for name in ("process", "start_ns", "end_ns"))
    for each in set(process.tolist()):
        mine = (process == each).nonzero()[0]
        mine = mine[start[mine].argsort()]
        assert (start[mine[1:]] >= end[mine[:-1]]).all()
