"""Golden twins of every model: one history that must pass, one that must fail, by the name of what is wrong.

A history is written as lines ``process f value -> result @start-end``; a line without ``-> result``
was answered with nothing, ``!`` in front marks a refusal, ``?`` an operation without an answer, ``f:3`` the key 3.
Transactions are ``ax1`` (append 1 to x), ``wx1`` (write) and ``rx12`` (read x as 1 2, or 12 for
registers after ``=``: ``rx=12``).
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from chaosday.checkers.base import HistoryCheck, ResultMap, finding_of, merge_valid
from chaosday.commands.check import models
from chaosday.data.formats import sessions
from chaosday.errors import MalformedHistory, UnknownName
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.record.transactions import Transactions, column, with_transactions
from chaosday.registry import members

pytestmark = pytest.mark.kernel

_LINE = re.compile(
    r"(?P<mark>[!?]?)(?P<process>\d+) (?P<f>\S+)(?: (?P<value>(?!->).*?))?(?: -> (?P<result>.+?))?"
    r" @(?P<s>\d+)-(?P<e>\d+)"
)
_MOP = re.compile(r"([arw])([a-z])(=?)(\d*)")
_STATUS = {"": "ok", "!": "failed", "?": "unknown"}


def history(text: str) -> History:
    """The history that ``text`` writes down."""
    rows: list[dict[str, Any]] = []
    mops: list[list[list[Any]]] = []
    for line in filter(None, map(str.strip, text.strip().split("\n"))):
        match = _LINE.fullmatch(line)
        assert match is not None, line
        f, _, key = match["f"].partition(":")
        row: dict[str, Any] = {"process": int(match["process"]), "f": f, "status": _STATUS[match["mark"]]}
        row["key"] = int(key) if key else None
        row |= {"start_ns": int(match["s"]), "end_ns": None if match["mark"] == "?" else int(match["e"])}
        if match["f"] == "txn":
            mops.append([_mop(*found) for found in _MOP.findall(match["value"])])
        else:
            row["value"] = json.loads(match["value"]) if match["value"] else None
            row["result"] = json.loads(match["result"]) if match["result"] else None
        rows.append(row)
    made = History.from_rows(rows)
    return with_transactions(made, column(mops)) if mops else made


def _mop(f: str, key: str, scalar: str, digits: str) -> list[Any]:
    if f == "r":
        value: Any = (
            int(digits) if scalar and digits else None if scalar or not digits else [int(one) for one in digits]
        )
    else:
        value = int(digits)
    return [{"a": "append"}.get(f, f), key, value]


GOLDEN: dict[str, tuple[str, str, str]] = {
    # model: passes, fails, the anomaly by which it fails
    "register": ("0 write 1 @0-1\n1 read -> 1 @2-3", "0 write 1 @0-1\n0 write 2 @2-3\n1 read -> 1 @4-5", "stale-read"),
    "cas-register": (
        "0 write 1 @0-1\n1 cas [1, 2] @2-3\n!0 cas [1, 3] @4-5\n0 read -> 2 @6-7",
        "0 write 1 @0-1\n1 cas [2, 3] @2-3",
        "nonlinearizable",
    ),
    "mutex": ("0 acquire @0-1\n0 release @2-3\n1 acquire @4-5", "0 acquire @0-1\n1 acquire @2-3", "nonlinearizable"),
    "kv": (
        '0 put "a" @0-1\n1 append "b" @2-3\n0 get -> "ab" @4-5',
        '0 put "a" @0-1\n0 get -> "b" @4-5',
        "nonlinearizable",
    ),
    "set": ("0 add 1 @0-1\n1 read -> [1] @2-3", "0 add 1 @0-1\n1 read -> [2] @2-3", "lost"),
    "set-full": ("0 add 1 @0-1\n1 read -> [1] @2-3", "0 add 1 @0-1\n1 read -> [1] @2-3\n1 read -> [] @4-5", "lost"),
    "queue": ("0 enqueue 1 @0-5\n1 dequeue -> 1 @2-3", "0 enqueue 1 @4-5\n1 dequeue -> 1 @2-3", "unexpected"),
    "total-queue": ("0 enqueue 1 @0-1\n1 drain -> [1] @2-3", "0 enqueue 1 @0-1\n1 drain -> [] @2-3", "lost"),
    "fifo-queue": (
        "0 enqueue 1 @0-1\n0 enqueue 2 @2-3\n1 dequeue -> 1 @4-5",
        "0 enqueue 1 @0-1\n0 enqueue 2 @2-3\n1 dequeue -> 2 @4-5",
        "reordered",
    ),
    "counter": ("0 add 1 @0-1\n1 read -> 1 @2-3", "0 add 1 @0-1\n1 read -> 0 @2-3", "out-of-bounds"),
    "unique-ids": (
        "0 generate -> 1 @0-1\n1 generate -> 2 @0-1",
        "0 generate -> 1 @0-1\n1 generate -> 1 @2-3",
        "duplicated",
    ),
    "bank": (
        '0 read -> {"a": 5, "b": 5} @0-1\n1 read -> {"a": 4, "b": 6} @2-3',
        '0 read -> {"a": 5, "b": 5} @0-1\n0 read -> {"a": 4, "b": 6} @2-3\n1 read -> {"a": 4, "b": 5} @2-3',
        "wrong-total",
    ),
    "long-fork": (
        "0 txn wx1 @0-1\n3 txn wy1 @0-9\n1 txn rx=1 ry= @2-3\n2 txn rx=1 ry=1 @2-3",
        "2 txn wx1 @0-9\n3 txn wy1 @0-9\n0 txn rx=1 ry= @2-3\n1 txn rx= ry=1 @2-3",
        "long-fork",
    ),
    "causal-reverse": (
        "0 write 1 @0-1\n0 write 2 @2-3\n1 read -> [1] @4-5",
        "0 write 1 @0-1\n0 write 2 @2-3\n1 read -> [2] @4-5",
        "causal-reverse",
    ),
    "monotonic": (
        '0 read -> {"x": 1, "y": 1} @0-1\n1 read -> {"x": 2, "y": 1} @0-3',
        '0 read -> {"x": 2, "y": 1} @0-9\n1 read -> {"x": 1, "y": 2} @0-9',
        "nonmonotonic",
    ),
    "stats": ("0 read @0-1\n1 write 1 @0-1", "0 read @0-1\n!1 write 1 @0-1", "never-ok"),
    "list-append": (
        "0 txn ax1 @0-1\n1 txn rx1 ax2 @2-3\n0 txn rx12 @4-5",
        "0 txn ax1 @0-9\n1 txn ax2 rx1 @0-9\n0 txn rx21 @10-11",
        "incompatible-order",
    ),
    "rw-register": ("0 txn wx1 @0-1\n1 txn rx=1 @2-3", "0 txn wx1 ry=1 @0-9\n1 txn wy1 rx=1 @0-9", "G1c"),
    "change-stream": (
        "0 put:0 [1, 5, null] @0-1\n0 mark:0 1 @2-3\n"
        '1 look -> {"marks": {"0": 1}, "ended": true, "put": [[0, 1, 5, null]], "gone": []} @4-5',
        "0 put:0 [1, 5, null] @0-1\n0 mark:0 1 @2-3\n"
        '1 look -> {"marks": {"0": 1}, "ended": true, "put": [], "gone": []} @4-5',
        "missing",
    ),
    "kafka": (
        '0 send -> [["send", "x", [0, 1]], ["send", "x", [3, 2]]] @0-1\n'
        '1 poll -> [["poll", {"x": [[0, 1], [3, 2]]}]] @2-3',
        '0 send -> [["send", "x", [0, 1]], ["send", "x", [3, 2]]] @0-1\n1 poll -> [["poll", {"x": [[3, 2]]}]] @2-3',
        "lost-write",
    ),
}
# Ends that nobody knows: each of these may or may not have happened.
INDETERMINATE: dict[str, tuple[str, bool | str]] = {
    "register": ("?0 write 1 @0-1\n1 read -> 1 @2-3", True),
    "cas-register": ("?0 write 1 @0-1\n1 read -> 1 @2-3\n2 cas [1, 2] @4-5", True),
    "mutex": ("?0 acquire @0-1\n1 acquire @2-3\n1 release @4-5", True),
    "kv": ('?0 put "a" @0-1\n1 get -> "" @2-3\n1 get -> "a" @4-5', True),
    "set": ("?0 add 1 @0-1\n0 add 2 @2-3\n1 read -> [1, 2] @4-5", True),
    "set-full": ("?0 add 1 @0-1\n1 add 2 @0-1\n1 read -> [2] @2-3", True),
    "queue": ("?0 enqueue 1 @0-1\n1 dequeue -> 1 @2-3", True),
    "total-queue": ("?0 enqueue 1 @0-1\n1 dequeue -> 1 @2-3", True),
    "fifo-queue": ("?0 enqueue 1 @0-1\n1 enqueue 2 @2-3\n1 dequeue -> 2 @4-5", True),
    "counter": ("?0 add 1 @0-1\n1 read -> 1 @2-3\n1 read -> 0 @4-5", True),
    "unique-ids": ("?0 generate @0-1\n1 generate -> 1 @2-3", True),
    "bank": ('?0 transfer {"from": "a"} @0-1\n1 read -> {"a": 5} @2-3', True),
    "long-fork": ("?0 txn wx1 @0-1\n1 txn rx=1 ry= @2-3\n2 txn rx= ry= @2-3", True),
    "causal-reverse": ("?0 write 1 @0-1\n1 write 2 @2-3\n1 read -> [2] @4-5", True),
    "monotonic": ('?0 read @0-1\n1 read -> {"x": 1} @2-3', True),
    "stats": ("?0 read @0-1\n1 read @2-3", True),
    "list-append": ("?0 txn ax1 @0-1\n1 txn rx1 @2-3\n1 txn ax2 @4-5", True),
    "rw-register": ("?0 txn wx1 @0-1\n1 txn rx=1 @2-3\n0 txn rx=1 @4-5", True),
    "change-stream": (
        "?0 put:0 [1, 5, null] @0-1\n1 put:1 [1, 6, null] @2-3\n1 mark:0 1 @4-5\n"
        '2 look -> {"marks": {"0": 1}, "ended": true, "put": [[1, 1, 6, null]], "gone": []} @6-7',
        True,
    ),
    "kafka": ('?0 send [["send", "x", 1], ["send", "y", 1]] @0-1\n1 poll -> [["poll", {"x": [[0, 1]]}]] @2-3', True),
}


def _judged(model: str, made: History, **options: Any) -> ResultMap:
    if model == "long-fork":
        options.setdefault("group_size", 2)
    check = models()[model](**options)
    assert isinstance(check, HistoryCheck)
    return check.analyse(made)


def test_every_model_has_its_twins() -> None:
    """No model comes without a history it must pass, one it must fail, and one with unknown ends."""
    assert set(models()) == set(GOLDEN) == set(INDETERMINATE)


@pytest.mark.parametrize("model", GOLDEN)
def test_the_good_twin_passes(model: str) -> None:
    """A correct history is valid, and the result says how many operations were looked at."""
    result = _judged(model, history(GOLDEN[model][0]))
    assert (result["valid?"], result["anomaly-types"]) == (True, [])
    assert result["examined"] > 0


@pytest.mark.parametrize("model", GOLDEN)
def test_the_bad_twin_fails_by_name(model: str) -> None:
    """A damaged history is invalid, with the anomaly named and shown."""
    result = _judged(model, history(GOLDEN[model][1]))
    assert result["valid?"] is False
    assert GOLDEN[model][2] in result["anomaly-types"]
    assert result["anomalies"][GOLDEN[model][2]]


@pytest.mark.parametrize("model", GOLDEN)
def test_an_empty_history_is_unknown(model: str) -> None:
    """Nothing examined is never valid, and the reason says so."""
    result = _judged(model, History.from_rows([]))
    assert (result["valid?"], result["examined"]) == ("unknown", 0)
    assert result["reason"]


@pytest.mark.parametrize("model", INDETERMINATE)
def test_an_operation_without_an_answer_may_have_happened_or_not(model: str) -> None:
    """What is only explained by an unanswered operation, or only without it, is no anomaly."""
    text, valid = INDETERMINATE[model]
    assert _judged(model, history(text))["valid?"] == valid


@pytest.mark.parametrize("model", GOLDEN)
def test_a_result_is_a_finding(model: str) -> None:
    """The same result as a finding: violated with anomalies, pass with something examined."""
    good, bad = (finding_of(model, _judged(model, history(text))) for text in GOLDEN[model][:2])
    assert (good.outcome, bad.outcome) == (Outcome.PASS, Outcome.VIOLATED)
    assert bad.anomaly(GOLDEN[model][2]) is not None


def test_every_history_check_has_a_model_of_its_own() -> None:
    """No two checks go by one name of ``--as``."""
    checks = [check for check in members("checks").values() if issubclass(check, HistoryCheck)]
    assert len({check.model for check in checks}) == len(checks) == len(models())


@pytest.mark.parametrize(
    ("text", "options", "valid"),
    [
        ("1 read @0-1\n0 write 1 @2-3", {"nil_read": "wildcard"}, True),
        ("0 write 1 @0-1\n1 read @2-3", {"nil_read": "value"}, False),
        ("1 read -> 0 @0-1", {"initial": 0}, True),
        ("1 read -> 0 @0-1", {"initial": 1}, False),
        ("0 write 1 @0-1\n1 read -> 1 @1-2", {}, True),
        ("0 write 1 @0-1\n0 write 1 @2-3\n1 read -> 1 @4-5", {}, True),
        ("!0 write 1 @0-1\n1 read -> 1 @2-3", {}, False),
        ("0 write 5 @0-1\n1 read -> 7 @2-3", {}, False),
    ],
)
def test_what_a_register_may_answer(text: str, options: dict[str, Any], valid: bool) -> None:
    """Nil, initial values, closed intervals, repeated writes, refused writes, values from nowhere."""
    assert _judged("register", history(text), **options)["valid?"] is valid


@pytest.mark.parametrize("end", ["", "\n!1 drain @2-3", "\n?1 drain @2-3"], ids=["none", "refused", "unanswered"])
def test_a_queue_that_nobody_emptied_has_lost_nothing_that_is_known(end: str) -> None:
    """Where no drain was answered, what was put in may still be there: unknown, not lost."""
    result = _judged("total-queue", history(f"0 enqueue 1 @0-1{end}"))
    assert (result["valid?"], result["anomaly-types"]) == ("unknown", [])
    assert "drain" in result["reason"]


def test_a_refused_compare_and_set_can_be_proof() -> None:
    """Taken as a mismatch it must not be refused where the value was the expected one."""
    made = history("0 write 1 @0-1\n!1 cas [1, 2] @2-3")
    verdicts = [_judged("cas-register", made, failed_cas=how)["valid?"] for how in ("ignored", "mismatch")]
    assert verdicts == [True, False]


def test_one_hard_key_does_not_starve_the_others() -> None:
    """With a budget that a hard key uses up, a bad easy key is still found."""
    rows: list[dict[str, Any]] = []
    for n in range(40):  # forty concurrent writes and reads of one key
        rows.append(
            {"process": n, "f": "write", "key": 1, "value": n % 5, "start_ns": 0, "end_ns": 100, "status": "ok"}
        )
        rows.append(
            {
                "process": 40 + n,
                "f": "read",
                "key": 1,
                "result": n % 5,
                "start_ns": 1,
                "end_ns": 99 + n % 3,
                "status": "ok",
            }
        )
    easy = {"process": 99, "key": 2, "start_ns": 0, "end_ns": 1, "status": "ok"}
    rows += [{**easy, "f": "write", "value": 1}, {**easy, "f": "read", "result": 7, "start_ns": 5, "end_ns": 6}]
    result = _judged("cas-register", History.from_rows(rows), steps=5_000)
    assert (result["valid?"], result["failures"]) == (False, [2])
    alone = _judged("cas-register", History.from_rows(rows[:-1]), steps=5_000)
    assert alone["valid?"] == "unknown"
    assert "1 of 2 keys undecided" in alone["reason"]


@pytest.mark.parametrize("model", ["register", "cas-register", "mutex", "kv", "fifo-queue"])
def test_operations_of_another_kind_are_no_anomaly(model: str) -> None:
    """What a model does not know may explain everything: unknown, with their number; refused ones do not matter."""
    text = GOLDEN[model][1]
    result = _judged(model, history(f"{text}\n8 delete @0-9"))
    assert (result["valid?"], "1 delete" in result["reason"]) == ("unknown", True)
    assert _judged(model, history(f"{text}\n!8 delete @0-9"))["valid?"] is False


def test_a_register_with_compare_and_sets_is_searched() -> None:
    """Judged as a register, compare-and-sets count all the same."""
    made = history("0 write 1 @0-1\n1 cas [1, 2] @2-3\n0 read -> 2 @4-5")
    assert _judged("register", made)["valid?"] is True


def test_keys_are_judged_apart() -> None:
    """The same values under two keys do not meet; the failing key is named."""
    text = "0 add 1 @0-1\n1 read -> 1 @2-3"
    table = history(text).to_pandas()
    table["key"] = [1, 2]
    result = _judged("counter", History.from_pandas(table))
    assert (result["valid?"], result["failures"], result["keys"]) == (False, [2], 2)


@pytest.mark.parametrize(
    ("text", "level", "valid"),
    [
        ("w 1 1\n=====\nr 1 1\n", "serializable", True),
        ("w 1 1\nw 2 1\n=====\nr 2 null\nr 1 1\n", "read-committed", True),
        ("w 1 1\nw 2 1\n=====\nr 2 null\nr 1 1\n", "read-atomic", False),
        ("w 1 1\nw 2 1\n=====\nr 1 1\nr 2 null\n", "read-committed", False),
        ("w 1 1\n=====\nr 1 1\nw 2 1\n=====\nr 2 1\n-----\nr 1 null\n", "read-atomic", True),
        ("w 1 1\n=====\nr 1 1\nw 2 1\n=====\nr 2 1\n-----\nr 1 null\n", "causal", False),
        ("w 1 1\n=====\nw 2 1\n=====\nr 1 1\nr 2 null\n=====\nr 1 null\nr 2 1\n", "causal", True),
        ("w 1 1\n=====\nw 2 1\n=====\nr 1 1\nr 2 null\n=====\nr 1 null\nr 2 1\n", "snapshot-isolation", False),
        ("r 1 null\nw 2 1\n=====\nr 2 null\nw 1 1\n", "snapshot-isolation", True),
        ("r 1 null\nw 2 1\n=====\nr 2 null\nw 1 1\n", "serializable", False),
        ("r 1 null\nw 1 1\n=====\nr 1 null\nw 1 2\n", "snapshot-isolation", False),
        ("w 1 1\nw 1 2\n=====\nr 1 1\n", "read-committed", False),
        ("r 1 7\n", "read-committed", False),
    ],
)
def test_levels_of_sessions(text: str, level: str, valid: bool) -> None:
    """Dirty and fractured reads, causality, long fork, lost update, write skew: each at its level."""
    result = _judged("rw-register", sessions.read_awdit(text).history, consistency_models=(level,))
    assert result["valid?"] is valid
    assert bool(result["not"]) is not valid


def test_a_level_that_needs_times_is_refused_without_them() -> None:
    """Cursor stability cannot be told from sessions; the error says what can."""
    with pytest.raises(UnknownName, match="causal"):
        _judged("rw-register", sessions.read_awdit("w 1 1\n").history, consistency_models=("cursor-stability",))


def test_a_cycle_is_told_as_a_story() -> None:
    """Who the transactions are and why each comes before the next, in words."""
    result = _judged("list-append", history("0 txn ax1 ry @0-9\n1 txn ay1 rx @0-9\n2 txn rx1 ry1 @10-11"))
    case = result["anomalies"]["G2-item"][0]
    assert case["cycle"] == "T1 -rw-> T2 -rw-> T1"
    assert "However, T2 comes before T1: T2 saw nothing in x, to which T1 appended 1" in case["story"]


def test_the_worst_verdict_wins() -> None:
    """False before unknown before True; of nothing, True."""
    assert [merge_valid(v) for v in ([True, "unknown"], ["unknown", False, True], [True], [])] == [
        "unknown",
        False,
        True,
        True,
    ]


def test_what_is_no_history_of_a_model_is_malformed() -> None:
    """A counter that reads a word is an error that names the operation."""
    with pytest.raises(MalformedHistory, match="operation 0"):
        _judged("counter", history('0 read -> "x" @0-1'))


def test_transactions_keep_numbers_and_texts_apart() -> None:
    """1 and "1" are different keys and values, before and after Parquet."""
    mops = [["append", 1, 1], ["append", "1", "1"], ["r", "k", [1, "1"]], ["r", "k", None]]
    txns = Transactions.from_column(column([mops]))
    assert txns.mops(0) == mops
    assert np.unique(txns.key).size == 3


def test_values_spread_too_wide_are_judged_all_the_same() -> None:
    """Numbers of sixty bits do not overflow the code of key and value."""
    big = 2**60
    mops = [[["append", n, big * (n % 2) + n]] for n in range(8)] + [[["r", n, [big * (n % 2) + n]] for n in range(8)]]
    columns = {
        "process": [0] * 9,
        "f": ["txn"] * 9,
        "status": ["ok"] * 9,
        "start_ns": list(range(0, 18, 2)),
        "end_ns": list(range(1, 19, 2)),
    }
    assert _judged("list-append", with_transactions(History.from_columns(columns), column(mops)))["valid?"] is True
