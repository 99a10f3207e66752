"""Evidence that is made up, or rebuilt, to be sound: what damage is planted in, and what no check may accuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chaosday.checks.exactly_once import ExactlyOnce
from chaosday.clients import bank
from chaosday.judging import simulated, simulated_bank
from chaosday.judging.sight import Cell, KillMatrix
from chaosday.judging.sound import sound_copy
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from tests.judging import planting

pytestmark = pytest.mark.kernel
PIPELINE: dict[str, Any] = {
    "attempts": [
        {"point": "1.before", "state": 1, "hit": True, "differences": []},
        {"point": "2.after", "state": 2, "hit": False, "why": "not reached",
         "differences": [{"output": "o", "kind": "duplicated", "rows": 2, "sample": []}]},
    ],
    "planted": [{"output": "o", "damage": "lost", "told": False, "said": "nothing"}],
    "audit": {"run": 2, "agree": 1, "disagreeing": ["2.after"]},
    "coverage": {"points": 2, "not_covered": {"198.18.0.5:443": 1}},
    "doubts": ["only one point was run"],
    "causes": [{"cause": "x"}],
}  # fmt: skip


def rebuilt(said: Any) -> tuple[dict[str, Any], list[str]]:
    evidence = Evidence(planting.NOWHERE).replaced(observations={"said": said})
    copy, unknown = sound_copy(evidence, ["observations/said"])
    return dict(copy.observation("said")), unknown


def test_a_sound_pipeline_drill_keeps_what_it_was_and_finds_nothing() -> None:
    """Every point hit, all that was planted told, nothing left out; the check has nothing to say against it."""
    made, unknown = rebuilt(PIPELINE)
    assert unknown == []
    assert made["planted"] == [PIPELINE["planted"][0] | {"told": True}]
    assert made["coverage"] == {"points": 2, "not_covered": {}}
    assert [each["point"] for each in made["attempts"]] == ["1.before", "2.after"]
    finding = ExactlyOnce().judge(Evidence(planting.NOWHERE).replaced(observations={"pipeline": made}))
    assert finding.outcome is Outcome.PASS


def test_a_sound_detection_drill_noticed_everything_at_once() -> None:
    """By every monitor, which rang for nothing else; what else its report says stays."""
    notice = {"monitor": "m", "after_s": None, "silent": 3, "readings": 9}
    said = {"damage": [{"kind": "lost", "bit": False, "notices": [notice]}], "ringing": ["m"], "seconds": 4}
    made, unknown = rebuilt(said)
    sound = {"monitor": "m", "after_s": 0.0, "silent": 0, "readings": 1}
    assert (made, unknown) == (
        {"damage": [{"kind": "lost", "bit": True, "notices": [sound]}], "ringing": [], "seconds": 4}, [],
    )  # fmt: skip


def test_of_a_report_that_nobody_knows_no_sound_copy_is_made() -> None:
    """It is named, and left as it was."""
    assert rebuilt({"words": "all is well"}) == ({"words": "all is well"}, ["observations/said"])


@pytest.mark.parametrize(
    ("first", "balances"),
    [(5, [95, 105, 100]), (150, [93, 55, 152])],
)
def test_sound_balances_take_unknown_transfers_only_where_they_have_to(first: int, balances: list[int]) -> None:
    """One account would be overdrawn without them: then they happened, all of them; otherwise none did."""
    moves = [(0, 1, first, "ok"), (1, 0, first + 3 if first > 100 else 3, "unknown"), (1, 2, 50 + 2, "unknown")]
    if first > 100:
        moves = [(0, 1, 150, "ok"), (1, 0, 143, "unknown"), (1, 2, 52, "unknown")]
    history = History.from_rows([
        {"process": n, "f": "transfer", "key": source, "value": {"to": sink, "amount": amount}, "status": status,
         "start_ns": n, "end_ns": n + 1}
        for n, (source, sink, amount, status) in enumerate(moves)
    ])  # fmt: skip
    rows = bank.sound_rows(history, bank.Facts(300, (0, 1, 2)))
    assert rows.column(1).to_pylist() == balances


@pytest.mark.parametrize("made", ["ledger", "bank"])
def test_made_up_clients_work_side_by_side_and_each_does_one_thing_at_a_time(made: str) -> None:
    """As real ones do: whatever the order of operations shows then can be found in it."""
    history = (
        simulated.simulate_ledger(400, seed=3).history if made == "ledger"
        else simulated_bank.simulate_bank(400, seed=3)[0].history
    )  # fmt: skip
    start, end, process = (history.integers(name, null=-1) for name in ("start_ns", "end_ns", "process"))
    answered = end >= 0
    assert (start >= 0).all() and (end[answered] > start[answered]).all()
    for each in np.unique(process):
        own = process == each
        assert (start[own][1:] > np.where(answered, end, start)[own][:-1]).all()
    turn = start // simulated._TURN_NS
    assert turn.tolist() == list(range(400)) and (start % simulated._TURN_NS < simulated._TURN_NS // 2).all()
    assert np.mean(start[1:] < end[:-1]) > 0.5


def test_a_cell_is_found_by_its_check_and_its_class() -> None:
    """And none where that pair was not tried."""
    cells = [Cell(check=check, corruption=kind) for check in ("a", "b") for kind in ("lost", "stale")]
    matrix = KillMatrix(seed=1, checks=["a", "b"], sizes=[1], cells=cells)
    assert [matrix.cell(each.check, each.corruption) for each in cells] == cells
    assert matrix.cell("a", "other") is None
