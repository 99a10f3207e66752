"""Whatever a history's values are: what is one value for one model is one for all, and no two are taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosday.commands.check import models
from chaosday.errors import MalformedHistory
from chaosday.model.history import History

pytestmark = pytest.mark.kernel

ALIKE: list[Any] = [
    0,
    0.0,
    False,
    "0",
    1,
    1.0,
    True,
    "1",
    "true",
    [1],
    [True],
    [[1]],
    {"a": 1},
    {"a": True},
    {},
    [],
    "",
]
VALUES = st.sampled_from(ALIKE)
STATUS = st.sampled_from(["ok", "ok", "ok", "failed", "unknown"])


def _row(n: int, f: str, value: Any, result: Any, status: str = "ok") -> dict[str, Any]:
    end = None if status == "unknown" else 2 * n + 3
    times = {"start_ns": 2 * n, "end_ns": end}
    return {"process": n, "f": f, "value": value, "result": result, "status": status, **times}


def _analysed(model: str, rows: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    return models()[model](**options).analyse(History.from_rows(rows))


def _said(model: str, rows: list[dict[str, Any]], **options: Any) -> Any:
    return _analysed(model, rows, **options)["valid?"]


@st.composite
def _registers(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for n in range(draw(st.integers(1, 6))):
        value, status = draw(VALUES), draw(STATUS)
        rows.append(_row(n, "write", value, None, status) if draw(st.booleans()) else _row(n, "read", None, value))
    return rows


@settings(max_examples=200, deadline=None)
@given(_registers())
def test_models_of_one_value_agree(rows: list[dict[str, Any]]) -> None:
    """Zones, the search, and a store without appends say the same of any values."""
    said = {model: _said(model, rows, **({"initial": "?"})) for model in ("register", "cas-register", "kv")}
    assert len(set(said.values())) == 1, said


@st.composite
def _queues(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = [
        _row(n, "enqueue", value, None) for n, value in enumerate(draw(st.lists(VALUES, max_size=4, unique_by=repr)))
    ]
    taken = draw(st.lists(VALUES, max_size=4))
    return rows + [_row(len(rows) + n, "dequeue", None, value) for n, value in enumerate(taken)]


@settings(max_examples=150, deadline=None)
@given(_queues())
def test_models_of_queues_agree(rows: list[dict[str, Any]]) -> None:
    """A queue that is first in, first out gives nothing that was not put in; emptied, nothing is lost or twice."""
    fifo = _said("fifo-queue", rows)
    brought = [row["result"] for row in rows if row["f"] == "dequeue"]
    drained = [row for row in rows if row["f"] == "enqueue"] + [_row(9, "drain", None, brought)]
    total = models()["total-queue"](once=True).analyse(History.from_rows(drained))
    if fifo is True:
        assert _said("queue", rows) is True
        assert set(total["anomaly-types"]) <= {"lost"}
    if _said("queue", rows) is False:
        assert fifo is False
        assert total["anomaly-types"]


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=5, unique_by=repr), st.lists(VALUES, max_size=5, unique_by=repr))
def test_models_of_sets_agree(added: list[Any], read: list[Any]) -> None:
    """What the last read lacks is lost for both, and what it holds beside what was added is unexpected for both."""
    rows = [_row(2 * n, "add", value, None) for n, value in enumerate(added)]
    rows.append(_row(2 * len(rows) + 4, "read", None, read))
    checks = [models()[model]() for model in ("set", "set-full")]
    one, full = (check.analyse(History.from_rows(rows)) for check in checks)
    missing = {repr(value) for value in added} - {repr(value) for value in read}
    assert {repr(value) for value in one["anomalies"].get("lost", [])} == missing
    assert {repr(value) for value in full["lost"]} == missing
    assert one["unexpected-count"] == full["unexpected-count"] == len({*map(repr, read)} - {*map(repr, added)})


@pytest.mark.parametrize("value", ALIKE, ids=repr)
def test_a_value_is_met_by_itself_alone(value: Any) -> None:
    """Written or put in and read or taken out again: valid where it is the same value, and only there."""
    for other in ALIKE:
        _meets(value, other)


def _meets(value: Any, other: Any) -> None:
    same = value == other and repr(value) == repr(other)
    cases = {
        "register": [_row(0, "write", value, None), _row(3, "read", None, other)],
        "kv": [_row(0, "put", value, None), _row(3, "get", None, other)],
        "queue": [_row(0, "enqueue", value, None), _row(3, "dequeue", None, other)],
        "set": [_row(0, "add", value, None), _row(3, "read", None, [other])],
        "total-queue": [_row(0, "enqueue", value, None), _row(3, "drain", None, [other])],
    }
    assert {model: _said(model, rows) for model, rows in cases.items()} == dict.fromkeys(cases, same)
    ids = [_row(0, "generate", None, value), _row(3, "generate", None, other)]
    assert _said("unique-ids", ids) is not same


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        ("set", [_row(0, "add", 1, None), _row(3, "read", None, None)]),
        ("set-full", [_row(0, "add", 1, None), _row(3, "read", None, [1]), _row(6, "read", None, None)]),
        ("causal-reverse", [_row(0, "write", 1, None), _row(3, "read", None, None)]),
        ("counter", [_row(0, "add", 0, None), _row(3, "read", None, None)]),
        ("unique-ids", [_row(0, "generate", None, None), _row(3, "generate", None, 1)]),
    ],
)
def test_an_answer_of_nil_says_nothing(model: str, rows: list[dict[str, Any]]) -> None:
    """An ok read of nil where a list or a number is due proves neither loss nor presence: unknown, with the reason."""
    result = models()[model]().analyse(History.from_rows(rows))
    assert (result["valid?"], "nil" in result["reason"]) == ("unknown", True)


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("set", _row(0, "read", None, "abc")),
        ("set-full", _row(0, "read", None, {"a": 1})),
        ("causal-reverse", _row(0, "read", None, 3)),
        ("total-queue", _row(0, "drain", None, "abc")),
        ("cas-register", _row(0, "cas", 3, None)),
        ("cas-register", _row(0, "cas", [1, 2, 3], None)),
        ("counter", _row(0, "read", None, True)),
        ("counter", _row(0, "read", None, 1.0)),
        ("counter", _row(0, "add", 2**70, None)),
        ("bank", _row(0, "read", None, {"a": "5"})),
        ("bank", _row(0, "read", None, {"a": True})),
        ("monotonic", _row(0, "read", None, {"a": True})),
        ("fifo-queue", _row(0, "enqueue", None, None)),
    ],
)
def test_what_a_model_cannot_hold_is_refused_in_one_line(model: str, row: dict[str, Any]) -> None:
    """A text read as a set is not the set of its letters, and a truth value is no number."""
    with pytest.raises(MalformedHistory, match=r"^[^\n]+$"):
        models()[model]().analyse(History.from_rows([row]))


def test_nothing_is_appended_to_what_is_no_text() -> None:
    """A store of texts that holds a number cannot grow, and the error says so."""
    rows = [_row(0, "put", 1, None), _row(3, "get", None, 1), _row(6, "append", "x", None)]
    with pytest.raises(MalformedHistory, match="appended"):
        _said("kv", rows)


@pytest.mark.parametrize(
    ("model", "mops"),
    [
        ("list-append", [["r", "x", 1]]),
        ("rw-register", [["r", "x", [1]]]),
        ("list-append", [["append", "x", 1], ["w", "y", 1]]),
    ],
)
def test_transactions_of_another_kind_are_unknown(model: str, mops: list[list[Any]]) -> None:
    """Reads of single values are no lists, and lists no registers: never valid."""
    rows = [_row(0, "txn", mops, mops)]
    assert _said(model, rows) == "unknown"


def test_a_list_that_is_appended_is_one_element() -> None:
    """An element may be a vector: a read that misses it is no read of nothing."""
    rows = [
        _row(0, "txn", [["append", "x", [1, 2]]], None),
        _row(4, "txn", None, [["r", "x", [[1, 2]]]]),
        _row(8, "txn", None, [["r", "x", []]]),
    ]
    result = _analysed("list-append", rows)
    assert result["valid?"] is False
    assert models()["list-append"]().analyse(History.from_rows(rows[:2]))["valid?"] is True


@st.composite
def _transactions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Appends of 0 to 5 and reads of lists of them, over three keys; none is repeated but in what is read."""
    rows, unused = [], list(range(6))
    for n in range(draw(st.integers(2, 6))):
        mops: list[list[Any]] = []
        for _ in range(draw(st.integers(1, 3))):
            key = draw(st.integers(0, 2))
            if unused and draw(st.booleans()):
                mops.append(["append", key, unused.pop(0)])
            else:
                mops.append(["r", key, draw(st.lists(st.integers(0, 5), max_size=4))])
        rows.append(_row(n, "txn", mops, mops))
    return rows


def _renamed(rows: list[dict[str, Any]], to: list[int]) -> list[dict[str, Any]]:
    def named(value: Any) -> Any:
        return [to[each] for each in value] if isinstance(value, list) else to[value]

    return [
        row | {name: [[f, key, named(value)] for f, key, value in row[name]] for name in ("value", "result")}
        for row in rows
    ]


@settings(max_examples=60, deadline=None)
@given(_transactions(), st.sampled_from([[-(2**62), -7, 0, 3, 2**40, 2**62], [2**62 + n for n in range(6)]]))
def test_how_far_apart_elements_lie_changes_nothing(rows: list[dict[str, Any]], to: list[int]) -> None:
    """Elements that are identifiers from all of 64 bits are judged like small numbers in the same order."""
    spread = _analysed("list-append", _renamed(rows, to))
    small = _analysed("list-append", rows)
    assert (spread["valid?"], spread["anomaly-types"]) == (small["valid?"], small["anomaly-types"])


def test_an_append_of_nothing_is_judged() -> None:
    """An append without a value (nil) is one element like any other, and none of the numbers."""
    rows = [
        _row(0, "txn", [["append", 1, 1]], [["append", 1, 1]]),
        _row(1, "txn", [["append", 1, None]], [["append", 1, None]], "unknown"),
        _row(2, "txn", [["r", 1, None]], [["r", 1, [1]]]),
    ]
    assert _said("list-append", rows) is True
