"""The bank check: golden twins, unknown transfers, and a brute-force oracle."""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.checks.bank import SUBSETS_OF, BankCheck
from chaosday.clients.bank import SCHEMA
from chaosday.errors import EvidenceMissing, MalformedHistory, MalformedInput
from chaosday.judging.proof import all_corruptions, sight_of
from chaosday.judging.simulated_bank import simulate_bank
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import FAILED, History
from tests.judging import planting
from tests.judging.proving import prove

pytestmark = pytest.mark.kernel


def bank(
    moves: list[tuple[int, int, int, str]],
    final: list[tuple[int, int | None]],
    shown: list[Any] | None = None,
    *,
    total: int = 30,
    accounts: Any = 3,
) -> Evidence:
    """Evidence of transfers ``(from, to, amount, status)``, reads that showed ``shown``, final balances."""
    operations: list[dict[str, Any]] = [
        {"process": 1, "f": "transfer", "key": a, "value": {"to": b, "amount": amount}, "status": status}
        for a, b, amount, status in moves
    ]
    operations += [{"process": 2, "f": "read", "result": result, "status": "ok"} for result in shown or []]
    rows = pa.Table.from_arrays([pa.array([row[i] for row in final], pa.int64()) for i in (0, 1)], schema=SCHEMA)
    return Evidence(planting.NOWHERE).replaced(
        history=History.from_rows([{"start_ns": n, "end_ns": n, **op} for n, op in enumerate(operations)]),
        rows={"bank": rows},
        observations={"bank": {"total": total, "accounts": accounts}},
    )


def named(evidence: Evidence) -> dict[str, set[int | str]]:
    return {a.name: set(a.keys) for a in BankCheck().judge(evidence).anomalies}


EVEN = [(0, 10), (1, 10), (2, 10)]
GOOD = [
    ("nothing moved but reads", bank([], EVEN, [{"0": 10, "1": 10, "2": 10}])),
    ("reads as lists", bank([], EVEN, [[10, 10, 10], [9, 11, 10]])),
    ("acknowledged", bank([(0, 1, 4, "ok")], [(0, 6), (1, 14), (2, 10)])),
    ("failed", bank([(0, 1, 4, "failed")], EVEN)),
    ("unknown and absent", bank([(0, 1, 4, "unknown")], EVEN)),
    ("unknown and there", bank([(0, 1, 4, "unknown")], [(1, 14), (0, 6), (2, 10)])),
    ("accounts by name", bank([(7, 8, 4, "ok")], [(7, 11), (8, 19)], [{"7": 15, "8": 15}], accounts=[7, 8])),
    ("both unknown ones", bank([(0, 1, 4, "unknown"), (2, 1, 4, "unknown")], [(0, 6), (1, 18), (2, 6)])),
    ("one of two unknown ones", bank([(0, 1, 4, "unknown"), (1, 2, 4, "unknown")], [(0, 6), (1, 14), (2, 10)])),
    ("more unknown ones than are tried", bank([(0, 1, 1, "unknown")] * 15, [(0, 3), (1, 17), (2, 10)], total=30)),
]
BAD = [
    ("read skew", bank([], EVEN, [{"0": 10, "1": 11, "2": 10}]), {"wrong-total": {"operation 0"}}),
    ("overdrawn", bank([], EVEN, [{"0": -1, "1": 21, "2": 10}]), {"negative-value": {"operation 0"}}),
    ("null read", bank([], EVEN, [{"0": None, "1": 20, "2": 10}]), {"nil-balance": {"operation 0"}}),
    ("absent in a read", bank([], EVEN, [{"1": 20, "2": 10}]), {"nil-balance": {"operation 0"}}),
    ("stray in a read", bank([], EVEN, [{"0": 10, "1": 10, "2": 10, "3": 0}]), {"unexpected-key": {"operation 0"}}),
    ("short list", bank([], EVEN, [[10, 10, 10], [10, 20]]), {"nil-balance": {"operation 1"}}),
    (
        "money made",
        bank([(0, 1, 1, "failed")], [(0, 10), (1, 11), (2, 10)]),
        {
            "wrong-total": {"final"},
            "unexplained-balance": {"account 1"},
        },
    ),
    ("lost transfer", bank([(0, 1, 4, "ok")], EVEN), {"unexplained-balance": {"account 0", "account 1"}}),
    (
        "failed one applied",
        bank([(0, 1, 4, "failed")], [(0, 6), (1, 14), (2, 10)]),
        {
            "unexplained-balance": {"account 0", "account 1"},
        },
    ),
    (
        "no choice fits all at once",
        bank([(0, 1, 4, "unknown"), (2, 1, 4, "unknown")], [(0, 8), (1, 14), (2, 8)]),
        {
            "unexplained-balance": {"account 0", "account 1", "account 2"},
        },
    ),
    ("gone", bank([(0, 1, 1, "failed")], [(0, 10), (1, 10)]), {"wrong-total": {"final"}, "nil-balance": {"account 2"}}),
    ("null", bank([(0, 1, 1, "failed")], [(0, 10), (1, 20), (2, None)]), {"nil-balance": {"account 2"}}),
    ("stray", bank([(0, 1, 1, "failed")], [*EVEN, (9, 0)]), {"unexpected-key": {"account 9"}}),
    ("twice", bank([(0, 1, 1, "failed")], [*EVEN, (2, 0)]), {"unexpected-key": {"account 2"}}),
    ("overdrawn at the end", bank([(0, 1, 12, "ok")], [(0, -2), (1, 22), (2, 10)]), {"negative-value": {"account 0"}}),
]


@pytest.mark.parametrize(("why", "evidence"), GOOD, ids=[case[0] for case in GOOD])
def test_what_adds_up_passes(why: str, evidence: Evidence) -> None:
    """Whatever the acknowledged transfers and some of the unknown ones explain is a pass."""
    finding = BankCheck().judge(evidence)
    assert finding.outcome is Outcome.PASS, (why, finding.anomalies)


@pytest.mark.parametrize(("why", "evidence", "damage"), BAD, ids=[case[0] for case in BAD])
def test_what_does_not_add_up_is_named(why: str, evidence: Evidence, damage: dict[str, set[str]]) -> None:
    """Each kind of contradiction under its own name, with the read or the account that shows it."""
    assert named(evidence) == damage, why


def test_debt_can_be_allowed() -> None:
    """Where accounts may be overdrawn, a negative balance is none of our business."""
    evidence = bank([(0, 1, 12, "ok")], [(0, -2), (1, 22), (2, 10)])
    assert BankCheck(negative_allowed=True).judge(evidence).outcome is Outcome.PASS


def test_no_operation_is_inconclusive() -> None:
    """Balances that nobody moved or read show nothing."""
    assert BankCheck().judge(bank([], EVEN)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("evidence", "error"),
    [
        (bank([], EVEN).replaced(observations={"bank": {"total": 3}}), MalformedInput),
        (bank([], EVEN, ["soon"]), MalformedHistory),
        (bank([], EVEN, [{"zero": 10}]), MalformedHistory),
        (Evidence(planting.NOWHERE), EvidenceMissing),
    ],
)
def test_evidence_that_cannot_be_judged_says_so(evidence: Evidence, error: type[Exception]) -> None:
    """Evidence that breaks the contract is an error in one line."""
    with pytest.raises(error, match=r"^[^\n]+$"):
        BankCheck().judge(evidence)


MOVES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 4), st.sampled_from(["ok", "failed", "unknown"])),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(MOVES, st.tuples(*[st.integers(6, 14)] * 3))
def test_explained_means_that_some_choice_explains_it(
    moves: list[tuple[int, int, int, str]], final: tuple[int, ...]
) -> None:
    """The check explains the final balances exactly when going through every choice does."""
    fixed = [move for move in moves if move[3] == "ok"]
    doubtful = [move for move in moves if move[3] == "unknown"]
    outcomes = set()
    for chosen in itertools.product([False, True], repeat=len(doubtful)):
        held = [10, 10, 10]
        for a, b, amount, _ in [*fixed, *itertools.compress(doubtful, chosen)]:
            held[a] -= amount
            held[b] += amount
        outcomes.add(tuple(held))
    found = named(bank(moves, list(enumerate(final))))
    assert ("unexplained-balance" not in found) == (final in outcomes)


def test_as_many_unknown_transfers_as_can_be_tried_are_tried() -> None:
    """Twelve transfers of an even amount, whichever of them happened, explain no odd balance."""
    moves = [(0, 1, 2, "unknown")] * SUBSETS_OF
    assert named(bank(moves, [(0, 8), (1, 12), (2, 10)])) == {}
    assert set(named(bank(moves, [(0, 9), (1, 11), (2, 10)]))) == {"unexplained-balance"}


def made_up(**options: Any) -> Evidence:
    run, facts = simulate_bank(600, seed=3, **options)
    return Evidence(planting.NOWHERE).replaced(
        history=run.history, rows={"bank": run.rows}, observations={"bank": facts}
    )


@pytest.fixture(scope="module")
def simulated() -> Evidence:
    return made_up()


def test_a_simulated_bank_is_sound() -> None:
    """So poor that many transfers fail for want of money: they have moved nothing."""
    evidence = made_up(unsettled_share=0, opening=10)
    assert (evidence.history().statuses() == FAILED).sum() > 50
    assert BankCheck().judge(evidence).outcome is Outcome.PASS


def test_every_damage_to_a_bank_is_seen(simulated: Evidence) -> None:
    """The bank check catches each class down to one item and names it."""
    proof = prove(simulated, [BankCheck()], sizes=[1, 3], repetitions=3, budget_s=120)
    classes = {c.kind for c in all_corruptions() if "bank" in c.stores}
    assert {cell.corruption for cell in proof.cells if cell.planted} == classes
    assert [
        (c.corruption, c.why) for c in proof.cells if c.planted and (c.status != "caught" or c.localised < c.caught)
    ] == []
    assert sight_of(proof).proven, sight_of(proof).reasons


def test_a_damaged_bank_is_silent_once_rebuilt(simulated: Evidence) -> None:
    """Reads and balances rebuilt from the acknowledged transfers raise no alarm."""
    table = simulated.rows("bank")
    damaged = simulated.replaced(rows={"bank": table.slice(0, 7)})
    (control,) = prove(damaged, [BankCheck()], sizes=[1], repetitions=1).controls
    assert control.silent is True, control.why


def test_damage_on_top_of_total_damage_is_told_on_a_rebuilt_copy(simulated: Evidence) -> None:
    """Where no balance is right any more, further damage is planted in the rebuilt bank instead, and seen."""
    table = simulated.rows("bank")
    shifted = table.set_column(
        1, "balance", pa.array([held + 7 * n - 24 for n, held in enumerate(table["balance"].to_pylist())])
    )
    wrecked = simulated.replaced(rows={"bank": shifted})
    assert BankCheck().judge(wrecked).anomaly("unexplained-balance") is not None
    proof = prove(wrecked, [BankCheck()], sizes=[1], repetitions=2, budget_s=120)
    assert sight_of(proof).proven, sight_of(proof).reasons
