"""The rules of each model, one small history at a time, with the verdict that the rule demands."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from chaosday.commands.check import models
from chaosday.data.formats import sessions
from chaosday.model.history import History
from chaosday.record.transactions import column, with_transactions
from tests.checkers.test_golden import _judged, history

pytestmark = pytest.mark.kernel

NEGATIVE = with_transactions(
    History.from_rows([
        {"process": n, "f": "txn", "status": "ok", "start_ns": start, "end_ns": start + 1, "key": None}
        for n, start in enumerate((0, 0, 2))
    ]),
    column([[["append", "x", 1]], [["append", "y", -1]], [["r", "x", [1]], ["r", "y", [-1]]]]),
)  # fmt: skip
CROWDED = """
100 write 1 @0-13
101 cas [1, 3] @0-31
102 read -> 3 @0-52
104 cas [2, 2] @7-108
105 cas [2, 1] @18-81
103 cas [3, 2] @24-65
107 write 3 @34-130
?106 write 2 @47-47
108 cas [3, 3] @55-100
111 cas [1, 1] @83-154
112 cas [1, 2] @89-181
?109 cas [3, 1] @90-90
110 cas [3, 1] @105-117
"""
# model, history, options, the anomalies: none where it is valid
RULES: list[tuple[str, str | History, dict[str, Any], list[str]]] = [
    # Two values whose reads both went on after the other was known.
    ("register", "0 write 1 @0-1\n1 write 2 @2-3\n0 read -> 1 @6-7\n1 read -> 2 @8-9", {}, ["stale-read"]),
    ("register", "0 write 1 @0-1\n1 write 2 @2-3\n0 read -> 2 @6-7\n1 read -> 2 @8-9", {}, []),
    ("register", "0 write 1 @0-1\n1 read -> 5 @2-3", {"initial": 5}, ["stale-read"]),
    ("register", "0 write 1 @0-1\n1 read -> 1 @2-3", {"initial": "a"}, []),
    ("register", "1 read -> 1 @2-3", {"initial": True}, ["unwritten-read"]),
    ("register", "1 read -> true @2-3", {"initial": True}, []),
    # What went in first comes out first, also where a value went in twice and the search decides.
    ("fifo-queue", "0 enqueue 1 @0-1\n0 enqueue 1 @2-3\n0 enqueue 2 @4-5\n1 dequeue -> 2 @6-7", {},
     ["nonlinearizable"]),
    ("fifo-queue", "0 enqueue 1 @0-1\n0 enqueue 1 @2-3\n0 enqueue 2 @4-5\n1 dequeue -> 1 @6-7", {}, []),
    # Only what is missing is lost, only what nobody added is unexpected.
    ("set", "0 add 1 @0-1\n0 add 2 @2-3\n1 read -> [1] @4-5", {}, ["lost"]),
    ("set", "0 add 1 @0-1\n1 read -> [1, 2] @4-5", {}, ["unexpected"]),
    # Two keys written once each are no key written twice.
    ("long-fork", "0 txn wx1 @0-1\n1 txn wy1 @0-1\n2 txn rx=1 ry=1 @2-3", {}, []),
    # The order in which processes, or real time, saw a key move.
    ("rw-register", "0 txn wx1 @0-1\n1 txn wx2 @2-3\n2 txn rx=1 @4-5", {"linearizable_keys": True},
     ["cyclic-versions"]),
    ("rw-register", "0 txn wx1 @0-1\n1 txn wx2 @2-3\n2 txn rx=2 @4-5", {"linearizable_keys": True}, []),
    ("rw-register", "0 txn wx1 @0-1\n0 txn wx2 @2-3\n0 txn rx=1 @4-5", {"sequential_keys": True},
     ["cyclic-versions"]),
    ("rw-register", "!0 txn wx1 @0-1\n1 txn rx=1 @2-3", {}, ["G1a"]),
    ("list-append", "!0 txn ax1 @0-1\n1 txn rx1 @2-3", {}, ["G1a"]),
    ("list-append", "0 txn ax1 ax2 @0-9\n1 txn rx1 @0-9\n2 txn rx12 @10-11", {}, ["G-single-item", "G1b"]),
    # A transaction foresees its own append, forgets it, or reads the same without it.
    ("list-append", "0 txn rx1 ax1 @0-1\n1 txn rx1 @2-3", {}, ["future-read"]),
    ("list-append", "0 txn ax1 rx @0-1\n1 txn rx1 @2-3", {}, ["internal"]),
    ("list-append", "0 txn ax1 @0-1\n0 txn rx1 ax2 rx1 @2-3\n1 txn rx12 @4-5", {}, ["internal"]),
    ("list-append", "0 txn rx ax1 rx1 @2-3\n1 txn rx1 @4-5", {}, []),
    # What it appended last is at the end of what it reads then, and not at the beginning.
    ("list-append", "0 txn ax1 rx12 @0-9\n1 txn ax2 @0-9", {}, ["G1c", "internal"]),
    # The second key's first element is the first of its own key.
    ("list-append", "0 txn ax1 @0-1\n1 txn rx1 @2-3\n2 txn ry5 ay5 @4-5\n3 txn ry5 @6-7", {}, ["future-read"]),
    # Two that read one state of a key and both appended to it, whatever else they read.
    (
        "list-append",
        "0 txn ax1 @0-1\n1 txn ay7 @0-1\n2 txn rx1 ry7 ax2 @2-9\n3 txn rx1 ry ax3 @2-9\n4 txn rx123 ry7 @10-11",
        {},
        ["G-single-item", "lost-update"],
    ),
    # Write skew: two anti-dependencies side by side.
    ("list-append", "0 txn rx ry ax1 @0-9\n1 txn ry rx ay1 @0-9\n2 txn rx1 ry1 @10-11", {}, ["G2-item"]),
    # The shorter of two reads is no beginning of the longer, and neither the larger nor the smaller is right.
    ("list-append", "0 txn ax1 @0-9\n1 txn ax2 @0-9\n3 txn rx12 @10-11\n4 txn rx21 @10-11", {},
     ["G-single-item-realtime", "incompatible-order"]),
    ("list-append", "0 txn ax1 @0-9\n1 txn ax2 @0-9\n2 txn ax3 @0-9\n3 txn rx13 @10-11\n4 txn rx123 @10-11", {},
     ["G-single-item-realtime", "incompatible-order"]),
    ("list-append", "0 txn ax1 @0-9\n1 txn ax2 @0-9\n2 txn ax3 @0-9\n3 txn rx12 @10-11\n4 txn rx132 @10-11", {},
     ["incompatible-order"]),
    # Elements below zero are of their own key, whatever the others hold.
    ("list-append", NEGATIVE, {}, []),
    # What failed was never written: the only append of a key that nobody read in full is known, and was missed.
    ("list-append", "0 txn ax1 @0-1\n!1 txn ax2 @0-1\n2 txn rx @2-3", {}, ["G-single-item-realtime"]),
    # An element that nobody appended, beside one that the first transaction did.
    ("list-append", "0 txn ax1 @0-1\n1 txn rx13 @2-3", {}, ["unwritten-read"]),
    # Two that wrote on top of one state, of a key whose order is contradicted elsewhere; what they read next differs.
    (
        "list-append",
        "0 txn ax1 @0-1\n1 txn ay7 @0-1\n2 txn rx1 ry7 ax2 @2-9\n3 txn rx1 ry ax3 @2-9\n4 txn rx123 @10-11\n"
        "5 txn rx132 @10-11",
        {},
        ["G-single-item", "incompatible-order", "lost-update"],
    ),
    # What nobody read came after the last element of its own key, the first of several.
    ("list-append", "0 txn ax2 @0-1\n1 txn ax1 @2-3\n2 txn rx1 @4-5\n3 txn ay9 @0-1\n4 txn ry9 @2-3", {},
     ["G-single-item-realtime", "G0-realtime"]),
    # A transaction that was not answered is not judged for what it says that it read.
    ("list-append", "?0 txn rx1 ax1 @0-1\n1 txn rx1 @2-3", {}, []),
    # The read was begun before the write that failed.
    ("rw-register", "1 txn rx=1 @0-9\n!0 txn wx1 @1-2", {}, ["G1a"]),
    # Every read of the first of four values came after all of the others were written.
    (
        "register",
        "2 write 1 @0-3\n0 write 2 @1-4\n2 write 3 @5-7\n0 write 4 @6-9\n2 read -> 1 @9-15\n0 read -> 1 @11-12",
        {},
        ["stale-read"],
    ),
    (
        "register",
        f"0 write {-(2**63) + 1} @0-1\n1 write {2**63 - 1} @2-3\n0 read -> {2**63 - 1} @4-5",
        {},
        [],
    ),
    # What was taken out before it was put in is two dequeues too many, and no enqueue.
    ("queue", "1 dequeue -> 1 @0-1\n1 dequeue -> 1 @2-3\n0 enqueue 1 @4-5", {}, ["unexpected"]),
    ("set-full", "0 add 1 @0-1\n0 add 2 @0-1\n1 read -> [1, 2, 9] @2-3", {}, ["unexpected"]),
    # What a read of balances that failed showed is none.
    ("bank", "0 txn rx=5 ry=5 @0-1\n!1 txn rx=1 ry=1 @2-3", {}, []),
    # Two that saw the same are in no order, and both come before whoever saw more.
    ("monotonic", '0 read -> {"x": 1} @0-9\n1 read -> {"x": 1} @0-9\n2 read -> {"x": 2} @0-9', {}, []),
    # Opposite ways of two registers, seen beside a third reader.
    (
        "monotonic",
        '0 read -> {"x": 1, "y": 2} @0-9\n1 read -> {"x": 2, "y": 1} @0-9\n2 read -> {"x": 1, "y": 1} @0-9',
        {},
        ["nonmonotonic"],
    ),
    # Of two ways to the same state the one that used up less of what may have happened is gone on with, and no other
    # way is left out.
    ("cas-register", CROWDED, {}, []),
]  # fmt: skip

# Of each model a history in which somebody saw 7, which nobody put there.
FROM_NOWHERE = {
    "register": "0 write 1 @0-1\n1 read -> 7 @2-3",
    "cas-register": "0 write 1 @0-1\n1 read -> 7 @2-3",
    "kv": '0 put "a" @0-1\n0 get -> "a7" @4-5',
    "set": "0 add 1 @0-1\n1 read -> [1, 7] @2-3",
    "set-full": "0 add 1 @0-1\n1 read -> [1, 7] @2-3",
    "queue": "0 enqueue 1 @0-5\n1 dequeue -> 7 @2-3",
    "total-queue": "0 enqueue 1 @0-1\n1 drain -> [1, 7] @2-3",
    "fifo-queue": "0 enqueue 1 @0-1\n1 dequeue -> 7 @4-5",
    "counter": "0 add 1 @0-1\n1 read -> 7 @2-3",
    "bank": '0 read -> {"a": 5, "b": 5} @0-1\n1 read -> {"a": 4, "b": 7} @2-3',
    "long-fork": "0 txn wx1 @0-1\n1 txn rx=1 ry= @2-3\n2 txn rx=1 ry=7 @2-3",
    "causal-reverse": "0 write 1 @0-1\n0 write 2 @2-3\n1 read -> [1, 2, 7] @4-5",
    "list-append": "0 txn ax1 @0-1\n1 txn rx17 @2-3",
    "rw-register": "0 txn wx1 @0-1\n1 txn rx=7 @2-3",
    "kafka": '0 send -> [["send", "x", [0, 1]]] @0-1\n1 poll -> [["poll", {"x": [[0, 1], [1, 7]]}]] @2-3',
    "change-stream": "0 put:0 [1, 5, null] @0-1\n0 mark:0 1 @2-3\n"
    '1 look -> {"marks": {"0": 1}, "ended": true, "put": [[0, 1, 7, null]], "gone": []} @4-5',
}
# Whoever reads there reads nothing that somebody wrote.
READS_NOTHING_WRITTEN = {"mutex", "monotonic", "stats", "unique-ids"}


@pytest.mark.parametrize("model", sorted(models()))
def test_what_nobody_wrote_is_never_valid(model: str) -> None:
    """Whatever else a model looks for, and whatever others that bear its name pass over."""
    if model in READS_NOTHING_WRITTEN:
        assert model not in FROM_NOWHERE
        return
    result = _judged(model, history(FROM_NOWHERE[model]))
    assert result["valid?"] is False and result["anomaly-types"], result


@pytest.mark.parametrize(("model", "text", "options", "found"), RULES)
def test_a_rule_is_kept(model: str, text: str | History, options: dict[str, Any], found: list[str]) -> None:
    """These anomalies are found and no others, and a history without any is valid."""
    result = _judged(model, history(text) if isinstance(text, str) else text, **options)
    assert (result["anomaly-types"], result["valid?"]) == (found, not found)


@pytest.mark.parametrize(
    ("model", "text", "options", "case"),
    [
        (
            "register",
            "0 write 1 @0-1\n0 write 2 @2-3\n1 read -> 1 @4-5",
            {},
            {"values": [1, 2], "operations": [0, 1, 2]},
        ),
        ("register", "0 write 1 @0-1\n1 read -> 5 @2-3", {"initial": 5}, {"operations": [0, 1]}),
        ("counter", "0 add 1 @0-1\n1 read -> 0 @2-3", {}, {"index": 1, "lower": 1, "value": 0, "upper": 1}),
        ("counter", "?0 add 2 @0-1\n1 read -> 5 @2-3", {}, {"index": 1, "lower": 0, "value": 5, "upper": 2}),
        (
            "list-append",
            "0 txn ax8 @0-9\n1 txn ax9 @0-9\n3 txn rx89 @10-11\n4 txn rx98 @10-11",
            {},
            {"values": [[8, 9], [9, 8]], "operations": [2, 3]},
        ),
    ],
)
def test_an_anomaly_is_shown_with_its_values(
    model: str, text: str, options: dict[str, Any], case: dict[str, Any]
) -> None:
    """Whoever reads the result sees what was written, what was read, and where."""
    shown = list(_judged(model, history(text), **options)["anomalies"].values())[-1][0]
    assert {name: shown[name] for name in case} == case


@pytest.mark.parametrize(
    ("model", "text", "examined"),
    [
        (
            "total-queue",
            "0 enqueue 1 @0-1\n1 dequeue -> 1 @2-3\n!1 dequeue @4-5\n!1 dequeue @4-5\n1 drain -> [] @6-7",
            3,
        ),
        ("queue", "0 enqueue 1 @0-1\n!0 enqueue 2 @0-1\n1 dequeue -> 1 @2-3\n!1 dequeue @4-5", 3),
        ("set", "0 add 1 @0-1\n!1 read @2-3\n1 read -> [1] @4-5", 2),
        ("counter", "0 add 1 @0-1\n?1 read @2-3\n1 read -> 1 @4-5", 2),
    ],
)
def test_what_was_looked_at_is_counted(model: str, text: str, examined: int) -> None:
    """Reads and dequeues that brought nothing were not examined."""
    assert _judged(model, history(text))["examined"] == examined


def test_sets_are_told_as_intervals() -> None:
    """Runs of whole numbers in short, one number as itself, words after them."""
    rows = "\n".join(f"0 add {value} @{n * 2}-{n * 2 + 1}" for n, value in enumerate((1, 2, 3, 7, '"a"')))
    result = _judged("set", history(f'{rows}\n1 read -> [1, 2, 3, 7, "a"] @20-21'))
    assert (result["ok"], result["lost"]) == ("#{1..3 7 a}", "#{}")


def test_sessions_without_a_level_are_held_to_the_strongest() -> None:
    """Asked for none, write skew is a violation of serializability."""
    skew = sessions.read_awdit("r 1 null\nw 2 1\n=====\nr 2 null\nw 1 1\n").history
    assert _judged("rw-register", skew, consistency_models=())["valid?"] is False
    assert _judged("rw-register", sessions.read_awdit("w 1 1\n").history, consistency_models=())["valid?"] is True


def test_what_an_aborted_transaction_read_it_did_not_write() -> None:
    """A read of a value that only another, aborted, read has seen is of a value from nowhere, and no aborted read."""
    text = '{"sessions":{"0":[0],"1":[1]},"aborted":[0],"txns":{"0":[["r","x",7]],"1":[["r","x",7]]}}'
    assert _judged("rw-register", sessions.read_sessions_json(text).history)["anomaly-types"] == ["unwritten-read"]


def test_what_is_written_twice_in_two_transactions_is_named() -> None:
    """Nobody could say which of the two was read."""
    result = _judged("rw-register", sessions.read_awdit("w k 1\n=====\nw k 1\n").history)
    assert result["anomalies"]["repeated-write"][0]["key"] == "k"


def test_each_step_of_a_cycle_is_explained() -> None:
    """Who appended what after whom, key by key."""
    text = "0 txn ax1 ay2 @0-9\n1 txn ay1 ax2 @0-9\n2 txn rx12 ry12 @10-11"
    (cycle,) = _judged("list-append", history(text))["anomalies"]["G0"]
    told = cycle["story"]
    assert "appended 2 to x after" in told and "had appended 1" in told and "appended 2 to y after" in told
    assert "depends on" not in told


def test_an_unknown_append_that_was_read_has_happened() -> None:
    """Beside an element of a failed append, one of an unknown append is no second aborted read."""
    text = "!0 txn ax1 @0-1\n?1 txn ax2 @0-1\n2 txn rx12 @2-3"
    assert _judged("list-append", history(text))["anomaly-counts"] == {"G1a": 1}


def test_a_real_time_step_is_told_as_one() -> None:
    """When the one had ended and the other began, and no process."""
    (cycle,) = _judged("list-append", history("0 txn ax1 @0-1\n1 txn rx @2-3\n2 txn rx1 @4-5"))["anomalies"][
        "G-single-item-realtime"
    ]
    (step,) = (each for each in cycle["steps"] if each["type"] not in ("ww", "wr", "rw"))
    assert step == {"type": "realtime", "ended-ns": 1, "began-ns": 2}


def test_a_drain_that_nobody_answered_is_no_proof() -> None:
    """Of an empty queue too; and what one that ended unknown says that it took out is not believed."""
    assert _judged("total-queue", history("!1 drain @0-1"))["valid?"] == "unknown"
    taken = _judged("total-queue", history("0 enqueue 1 @0-1\n1 dequeue -> 1 @2-3\n?1 drain -> [7] @4-5"))
    assert "unexpected" not in taken["anomaly-types"]


def test_before_the_first_mark_nothing_of_a_stream_is_due() -> None:
    """A row that has not arrived yet is in flight; whether it ever will is not known."""
    text = '0 put:0 [1, 5, null] @0-1\n1 look -> {"marks": {}, "ended": false, "put": [], "gone": []} @2-3'
    result = _judged("change-stream", history(text))
    assert (result["anomaly-types"], result["valid?"]) == ([], "unknown")


def test_each_dequeue_too_many_is_counted_once() -> None:
    """An enqueue that comes too late is none."""
    text = "1 dequeue -> 1 @0-1\n1 dequeue -> 1 @2-3\n0 enqueue 1 @4-5"
    result = _judged("queue", history(text))
    assert [case["index"] for case in result["anomalies"]["unexpected"]] == [0, 1]


def test_a_transaction_that_did_nothing_was_not_examined() -> None:
    """It is in the history, and proves nothing."""
    assert _judged("rw-register", history("0 txn wx1 @0-1\n1 txn rx=1 @2-3\n1 txn none @4-5"))["examined"] == 2


def test_how_long_an_element_was_missed_is_told_in_milliseconds() -> None:
    """From the end of its add to the last read that lacked it."""
    text = "0 add 1 @0-1000000\n1 read -> [] @2000000-9000000\n1 read -> [1] @9500000-9600000"
    result = _judged("set-full", history(text))
    assert result["stable-latencies"]["1"] in (1, 8)


def _serial(rng: Random) -> str:
    """Transactions of up to four sessions as one after the other, in any order, would have read and written."""
    sessions_, each = rng.randint(2, 4), rng.randint(2, 5)
    keys = ["1", "2", "3"][: rng.randint(1, 3)]
    state: dict[str, int] = {}
    told: list[list[str]] = [[] for _ in range(sessions_)]
    order = [session for session in range(sessions_) for _ in range(each)]
    rng.shuffle(order)
    number = 0
    for session in order:
        steps, wrote = [], set[str]()
        for _ in range(rng.randint(1, 3)):
            key = rng.choice(keys)
            if key in wrote:
                continue
            if rng.random() < 0.5:
                steps.append(f"r {key} {state.get(key, 'null')}")
            else:
                number += 1
                steps.append(f"w {key} {number}")
                wrote.add(key)
                state[key] = number
        told[session].append("\n".join(steps))
    return "\n=====\n".join("\n-----\n".join(each) for each in told) + "\n"


@pytest.mark.parametrize("level", ["serializable", "snapshot-isolation"])
def test_what_was_done_in_turn_is_valid(level: str) -> None:
    """Of more transactions than brute force can try, whose order the check has to find."""
    for seed in (16, 30, 46, 118, 142, *range(12)):
        made = sessions.read_awdit(_serial(Random(seed))).history
        assert _judged("rw-register", made, consistency_models=(level,))["valid?"] is True, seed


def test_more_writers_than_can_be_ordered_are_not_judged() -> None:
    """A key that nine hundred transactions wrote has more pairs of writers than are searched: it says so."""
    text = "\n=====\n".join(f"w 1 {n}" for n in range(1, 901)) + "\n"
    result = _judged("rw-register", sessions.read_awdit(text).history, consistency_models=("serializable",))
    assert result["valid?"] == "unknown" and "pairs of writes" in str(result)
