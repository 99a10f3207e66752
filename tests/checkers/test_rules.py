"""The rules of each model, one small history at a time, with the verdict that the rule demands."""

from __future__ import annotations

from typing import Any

import pytest

from chaosday.data.formats import sessions
from tests.checkers.test_golden import _judged, history

pytestmark = pytest.mark.kernel

# model, history, options, the anomalies: none where it is valid
RULES: list[tuple[str, str, dict[str, Any], list[str]]] = [
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
]  # fmt: skip


@pytest.mark.parametrize(("model", "text", "options", "found"), RULES)
def test_a_rule_is_kept(model: str, text: str, options: dict[str, Any], found: list[str]) -> None:
    """These anomalies are found and no others, and a history without any is valid."""
    result = _judged(model, history(text), **options)
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
        ("total-queue", "0 enqueue 1 @0-1\n1 dequeue -> 1 @2-3\n!1 dequeue @4-5\n1 drain -> [] @6-7", 3),
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
