"""Logs of sends and polls: each rule by a history that shows it, and by one that only looks like it.

A history is one operation a line, ``[!?]PROCESS WORDS``: ``x0a`` sends a to x and is answered offset 0, ``x-a`` is
not told one; ``<x0a,1b`` polls a and b of x at 0 and 1, ``<x`` polls and finds nothing of x; ``=xy`` assigns x and y,
``~xy`` subscribes to them; ``@x+y-`` asks whether all of x and y was read, which y was not; ``^x`` says that x was
rebalanced meanwhile. ``!`` failed, ``?`` has an unknown end.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chaosday.checkers.base import ResultMap
from chaosday.checks.kafka import Kafka
from chaosday.data import formats
from chaosday.data.formats.jepsen import read_edn, write_edn
from chaosday.errors import MalformedHistory
from chaosday.model.history import History
from chaosday.record.logs import COLUMN, column

pytestmark = pytest.mark.kernel

_STATUS = {"": "ok", "!": "fail", "?": "info"}


def edn(text: str) -> str:
    """The history that ``text`` writes down, as Jepsen would."""
    lines = []
    for number, line in enumerate(filter(None, map(str.strip, text.strip().splitlines()))):
        mark, process, words = re.fullmatch(r"([!?]?)(\d+) (.*)", line).groups()  # type: ignore[union-attr]
        if words[0] in "=~":
            f, value = {"=": "assign", "~": "subscribe"}[words[0]], "[" + " ".join(f":{key}" for key in words[1:]) + "]"
            asked = value
        elif words[0] == "@":
            f, ends = "debug-topic-partitions", re.findall(r"(\w)([-+])", words)
            asked = "[" + " ".join(f":{key}" for key, _ in ends) + "]"
            value = "{" + " ".join(f":{key} {'true' if end == '+' else 'false'}" for key, end in ends) + "}"
        else:
            f, value = "txn", "[" + " ".join(_mop(word) for word in words.split() if word[0] != "^") + "]"
            asked = re.sub(r"\[(?:\d+|nil) (:\w+)\]\]", r"\1]", re.sub(r"\[:poll [^]].*?\}\]", "[:poll]", value))
        moved = " ".join(f"{{:keys [:{word[1:]}]}}" for word in words.split() if word[0] == "^")
        log = f" :rebalance-log [{moved}]" if moved else ""
        for kind, said, at in (("invoke", asked, 2 * number), (_STATUS[mark], value, 2 * number + 1)):
            lines.append(f"{{:process {process} :time {at} :type :{kind} :f :{f} :value {said}{log}}}")
    return "\n".join(lines)


def _mop(word: str) -> str:
    if word[0] != "<":
        return f"[:send :{word[0]} [{'nil' if word[1] == '-' else word[1:-1]} :{word[-1]}]]"
    pairs = " ".join(f"[{pair[:-1]} :{pair[-1]}]" for pair in word[2:].split(",") if pair)
    return f"[:poll {{:{word[1]} [{pairs}]}}]" if len(word) > 1 else "[:poll {}]"


def judged(text: str, **options: Any) -> ResultMap:
    """The result map of a history so written."""
    return Kafka(**options).analyse(read_edn(edn(text)).history)


ABC = "0 x0a x1b x2c\n9 <x0a,1b,2c\n"
RULES: list[tuple[str, str, set[str]]] = [
    ("a gap of transaction markers is none", "0 x0a\n0 x4b\n1 <x0a\n1 <x4b", set()),
    ("an unknown send's offset counts for nothing", "?0 x0a y-b\n1 x0c\n2 <x0c", set()),
    ("but it does once one of its messages was seen", "?0 x0a y-b\n1 x0c\n2 <x0c <y5b",
     {"inconsistent-offsets", "lost-write"}),
    ("a failed send's never does", "!0 x0a\n1 x0c\n2 <x0c", set()),
    ("a failed poll's always does", "0 x0a\n0 x1b\n!1 <x5a\n2 <x0a\n3 <x1b", {"duplicate", "nonmonotonic-send"}),
    ("a failed send that an answered poll saw", "!0 x-a\n1 <x0a", {"G1a"}),
    ("a failed send that a failed poll saw", "!0 x-a\n!1 <x0a", set()),
    ("what was sent is polled before it is committed", "0 x0a <x0a", {"precommitted-read"}),
    ("also where the transaction failed", "!0 x-a <x0a", {"precommitted-read"}),
    ("and after others", "0 y0b\n1 x0a <x0a", {"precommitted-read", "unseen"}),
    ("offsets spread wider than a number is",
     "0 x0a\n0 x4611686018427387904b y0c\n1 <x0a,4611686018427387904b <y0c", set()),
    ("lost below the highest that was read", "0 x0a x1b\n1 <x1b", {"lost-write", "unseen"}),
    ("above it only unseen", "0 x0a x1b\n1 <x0a", {"unseen"}),
    ("an unknown send is due once another of its messages was seen", "?0 x-a y0b\n1 y1c\n2 <x0a\n3 <y1c",
     {"lost-write"}),
    ("and is not before", "?0 x-a y0b\n1 y1c\n3 <y1c", set()),
    ("a message that only a failed poll saw is unseen", "0 x0a\n!1 <x0a", {"unseen"}),
    ("read before it was acknowledged is seen", "1 <x0a\n0 x0a", {"G1c-realtime"}),
    ("the next poll leaves one out", ABC + "1 <x0a\n1 <x2c", {"poll-skip"}),
    ("another process may begin anywhere", ABC + "1 <x0a\n2 <x2c", set()),
    ("a failed poll is judged", ABC + "1 <x0a\n!1 <x2c", {"poll-skip"}),
    ("and does not go on", ABC + "1 <x0a\n!1 <x1b\n1 <x1b", set()),
    ("nor does an unknown one", ABC + "1 <x0a\n?1 <x1b\n1 <x2c", {"poll-skip"}),
    ("the same again", ABC + "1 <x0a,1b\n1 <x1b", {"nonmonotonic-poll"}),
    ("a poll without anything of the key forgets where it was", ABC + "1 <x0a,1b\n1 <x\n1 <x0a", set()),
    ("one with and one without anything of the key, in one operation", ABC + "1 <x0a <x\n1 <x2c", {"poll-skip"}),
    ("a poll without the key does not", ABC + "1 <x0a,1b\n1 <\n1 <x0a", {"nonmonotonic-poll"}),
    ("assigned to others meanwhile", ABC + "1 <x0a,1b\n1 =y\n1 <x0a", set()),
    ("assigned to it again", ABC + "1 <x0a,1b\n1 =xy\n1 <x0a", {"nonmonotonic-poll"}),
    ("assigned to others, which failed", ABC + "1 <x0a,1b\n!1 =y\n1 <x0a", {"nonmonotonic-poll"}),
    ("assigned to others, which may have happened", ABC + "1 <x0a,1b\n?1 =y\n1 <x0a", set()),
    ("away and back", ABC + "1 <x0a,1b\n1 =y\n1 =x\n1 <x0a", set()),
    ("within one poll something is left out", ABC + "1 <x0a,2c", {"int-poll-skip"}),
    ("between two polls of one operation", ABC + "1 <x0a <x2c", {"int-poll-skip"}),
    ("also of one that failed", ABC + "!1 <x0a <x2c", {"int-poll-skip"}),
    ("the key was rebalanced", ABC + "1 <x0a <x2c ^x", set()),
    ("another key was", ABC + "1 <x0a <x2c ^y", {"int-poll-skip"}),
    ("which excuses nothing between operations", ABC + "1 <x0a\n1 <x2c ^x", {"poll-skip"}),
    ("back within an operation", ABC + "1 <x1b <x0a", {"int-nonmonotonic-poll"}),
    ("keys of one operation do not meet", "0 x0a y0b x1c\n1 <x0a <y0b <x1c", set()),
    ("sent later, earlier in the log", "0 x1b\n0 x0a\n1 <x0a,1b", {"nonmonotonic-send"}),
    ("a send may jump", "0 x0a\n1 x1b\n0 x2c\n2 <x0a,1b,2c", set()),
    ("unknown sends count", "?0 x1b\n0 x0a\n1 <x0a,1b", {"nonmonotonic-send"}),
    ("failed ones do not", "!0 x1b\n0 x0a\n1 <x0a", set()),
    ("a producer that went on to other keys", "0 x1b\n0 =y\n0 x0a\n1 <x0a,1b", set()),
    ("sent the other way round in one operation", "0 x1b x0a\n1 <x0a,1b", {"int-nonmonotonic-send"}),
    ("others in between are allowed", "0 x0a x2c\n1 x1b\n2 <x0a,1b,2c", {"int-send-skip"}),
    ("the offset of a send is known from a poll", "0 x0a x-c\n1 x-b\n2 <x0a,1b,2c", {"int-send-skip"}),
    ("an unknown position is one step on", "0 x0a\n1 x1b\n2 <x0a\n2 <y0z\n3 <x1b\n4 y-z", {"G1c-realtime"}),
    ("nobody sent it", "0 x0a\n1 <x0a,1z", {"unwritten-read"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kinds"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_what_is_found(text: str, kinds: set[str]) -> None:
    """Exactly these kinds are found."""
    assert set(judged(text)["anomaly-types"]) == kinds


@pytest.mark.parametrize(
    ("text", "options", "valid"),
    [
        ("0 x0a x2c\n1 x1b\n2 <x0a,1b,2c", {}, True),
        (ABC + "1 <x0a\n1 <x2c", {}, False),
        (ABC + "1 ~x\n1 <x0a\n1 <x2c", {}, True),
        (ABC + "1 ~x\n1 <x0a\n1 <x2c", {"sub_via": ("assign",)}, False),
        (ABC + "1 <x0a\n1 <x2c", {"sub_via": ("subscribe",)}, True),
        (ABC + "1 ~x\n1 <x0a,2c", {}, False),
        ("0 x0a\n1 <x0a,1a", {"allow": ("duplicate", "int-nonmonotonic-poll")}, True),
    ],
)
def test_what_is_found_is_not_always_invalid(text: str, options: dict[str, Any], valid: bool) -> None:
    """Writes between those of a transaction are allowed, and where consumers subscribe skips between polls."""
    result = judged(text, **options)
    assert (result["valid?"], result["bad-error-types"] == []) == (valid, valid)


def test_cycles_of_writes_are_looked_for_on_request() -> None:
    """The order of a log is no order of transactions; where it is taken for one, circles are named, and allowed."""
    events = [
        "{:process 0 :time 0 :type :invoke :f :txn :value [[:send :x :a] [:send :y :a]]}",
        "{:process 1 :time 1 :type :invoke :f :txn :value [[:send :x :b] [:send :y :b]]}",
        "{:process 0 :time 2 :type :ok :f :txn :value [[:send :x [0 :a]] [:send :y [1 :a]]]}",
        "{:process 1 :time 3 :type :ok :f :txn :value [[:send :x [1 :b]] [:send :y [0 :b]]]}",
        "{:process 2 :time 4 :type :invoke :f :poll :value [[:poll]]}",
        "{:process 2 :time 5 :type :ok :f :poll :value [[:poll {:x [[0 :a] [1 :b]] :y [[0 :b] [1 :a]]}]]}",
    ]
    made = read_edn("\n".join(events)).history
    assert Kafka().analyse(made)["anomaly-types"] == []
    result = Kafka(ww_deps=True).analyse(made)
    assert (result["valid?"], result["anomaly-types"]) == (True, ["G0"])
    assert "sent a to x before" in result["anomalies"]["G0"][0]["story"]


def test_nothing_sent_and_nothing_polled_is_unknown() -> None:
    """Assignments and empty polls are no evidence."""
    result = judged("0 =x\n0 <")
    assert (result["valid?"], result["examined"]) == ("unknown", 0)


@pytest.mark.parametrize(
    "value",
    ['[["read", "x", 1]]', '[["send", "x"]]', "[7]",
     '[["poll", [[0, 1]]]]', '[["poll", {"x": [[0, 1, 2]]}]]', '[["send", 1, [1]]]',
     '[["poll", {"x": [["0", 1]]}]]', '"send"',
     '[["poll", {"x": [[9223372036854775808, 1]]}]]', '[["send", "x", [18446744073709551615, 1]]]'],
)  # fmt: skip
def test_what_is_neither_a_send_nor_a_poll_is_refused(value: str) -> None:
    """In one line, with the operation."""
    line = f'{{"process":0,"f":"send","status":"ok","start_ns":0,"end_ns":1,"result":{value}}}'
    with pytest.raises(MalformedHistory, match="operation 0"):
        Kafka().analyse(formats.READERS["jsonl"](line).history)


def test_keys_that_are_numbers_are_the_texts_that_maps_have() -> None:
    """Sent to 1, polled of "1": one log, whichever notation the file is in."""
    events = [
        '{"process":0,"type":"invoke","f":"send","value":[["send",1,7]]}',
        '{"process":0,"type":"ok","f":"send","value":[["send",1,[0,7]]]}',
        '{"process":1,"type":"invoke","f":"poll","value":[["poll"]]}',
        '{"process":1,"type":"ok","f":"poll","value":[["poll",{"1":[[0,7]]}]]}',
    ]
    result = Kafka().analyse(formats.READERS["jepsen-json"]("\n".join(events)).history)
    assert (result["valid?"], result["examined"]) == (True, 2)


def test_a_file_without_invocations_is_read() -> None:
    """Of logs the answers are enough, and a note says that they are all there is."""
    text = edn("0 x0a\n1 <x0a")
    answers = "\n".join(line for line in text.splitlines() if ":invoke" not in line)
    imported = read_edn(answers)
    assert Kafka().analyse(imported.history)["valid?"] is True
    assert "no invocations" in imported.notes[0]


@pytest.mark.parametrize("text", [rule[1] for rule in RULES])
def test_columns_and_json_are_judged_alike(text: str) -> None:
    """With the columns made once, and written as EDN and read again, the result is the same."""
    made = read_edn(edn(text)).history
    result = Kafka().analyse(made)
    columns = History(made.table.append_column(COLUMN, column(made)))
    assert Kafka().analyse(columns) == result
    again = read_edn(write_edn(made)).history
    assert set(Kafka().analyse(again)["anomaly-types"]) == set(result["anomaly-types"])


def test_a_random_sound_log_raises_no_alarm() -> None:
    """Whatever consumers and transactions do, a log that keeps its promises is judged sound."""
    for seed in range(40):
        rng, held, lines, at = np.random.default_rng(seed), {"x": 0, "y": 0}, list[str](), dict[tuple[int, str], int]()
        log: dict[str, list[tuple[int, str]]] = {"x": [], "y": []}
        letters = iter("abcdefghijklmnopqrstuvwxyz")
        for _ in range(40):
            process, key = int(rng.integers(3)), "xy"[rng.integers(2)]
            if rng.random() < 0.4 and (letter := next(letters, "")):
                held[key] += int(rng.integers(1, 3))
                status = ("", "?", "!")[rng.integers(3)] if rng.random() < 0.3 else ""
                if status != "!":
                    log[key].append((held[key], letter))
                lines.append(f"{status}{process} {key}{held[key] if status != '?' else '-'}{letter}")
            else:
                start = at.get((process, key), 0)
                seen = log[key][start : start + int(rng.integers(1, 4))]
                if seen:
                    lines.append(f"{process} <{key}{','.join(f'{offset}{value}' for offset, value in seen)}")
                    at[process, key] = start + len(seen)
        lines += [f"9 <{key}{','.join(f'{o}{v}' for o, v in log[key])}" for key in "xy" if log[key]]
        result = judged("\n".join(lines))
        assert (result["valid?"], result["anomaly-types"]) == (True, []), "\n".join(lines)
        assert all(a < b for offsets in log.values() for (a, _), (b, _) in pairwise(offsets))


@pytest.mark.parametrize(
    ("ends", "valid", "found"),
    [
        ("", False, ["unseen"]),
        ("9 @x+y+", False, ["unseen"]),
        ("9 @x-y-\n9 @x+y+", False, ["unseen"]),
        ("9 @x+y-", False, ["unseen"]),
        ("9 @x-y+", "unknown", []),
        ("!9 @x+y+", "unknown", []),
        ("?9 @x+y+", "unknown", []),
    ],
    ids=["nobody asked", "reached", "reached in the end", "x reached", "x not reached", "refused", "no answer"],
)
def test_what_nobody_could_read_is_not_unseen(ends: str, valid: object, found: list[str]) -> None:
    """Where the last reads never came to the end of a log, what is missing behind them may still be there."""
    result = judged(f"0 x0a x1b y0c\n9 <x0a <y0c\n{ends}")
    assert (result["valid?"], result["bad-error-types"]) == (valid, found)
    assert ("did not reach the end" in result.get("reason", "")) is (valid == "unknown")


def test_what_is_lost_below_what_was_read_is_lost_wherever_reads_ended() -> None:
    """Its place was passed."""
    assert judged("0 x0a x1b\n9 <x1b\n9 @x-")["bad-error-types"] == ["lost-write"]


def test_operations_of_a_case_are_those_that_show_it() -> None:
    """The first of the history as any other, and none where nobody did it."""
    (case,) = judged("0 x0a x1b\n1 <x1b")["anomalies"]["lost-write"]
    assert 0 in case["operations"] and min(case["operations"]) == 0
    (unwritten,) = judged("0 x0a\n1 <x0a,1z")["anomalies"]["unwritten-read"]
    assert unwritten["operations"] == [1]
