"""Kafka-like logs: every anomaly that Jepsen's kafka workload names, from sends and polls.

Jepsen, ``jepsen.tests.kafka`` (the rules), and its analyses of Redpanda 21.11 (2022) and Bufstream 0.1 (2024). Found is
not always invalid: writes of transactions are not isolated, so that ``int-send-skip`` and ``G0`` are as promised;
consumers that subscribe are rebalanced between operations, which excuses ``poll-skip`` and ``nonmonotonic-poll``; where
the order of a log counts as one of transactions (``ww_deps``), ``G1c`` is as promised too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from chaosday.checkers.base import SHOWN, UNKNOWN, ResultMap
from chaosday.checkers.elle import Timeline, add_order, find_cycles
from chaosday.checkers.graph import PROCESS, REALTIME, RW, WR, WW, Graph
from chaosday.checkers.log_orders import NONE, Messages, Orders, distinct
from chaosday.checkers.log_steps import Steps, between, internal
from chaosday.model.history import FAILED, NEVER_NS, OK, History
from chaosday.record.logs import DATA, POLL, SEND, TAKES, Ints, Logs
from chaosday.record.transactions import coded_integers

ALWAYS_ALLOWED = ("int-send-skip", "G0", "G0-process", "G0-realtime", "PL-1-cycle-exists", "strong-PL-1-cycle-exists")
WITH_SUBSCRIBE = ("poll-skip", "nonmonotonic-poll")
WITH_WW = ("G1c", "G1c-process", "G1c-realtime", "PL-2-cycle-exists", "strong-PL-2-cycle-exists")
TIMEOUT = "cycle-search-timeout"
ENDS = "debug-topic-partitions"
"""Asked by whoever reads everything in the end: for each key, whether all that was there has been polled."""
_ROUNDS = 32


def check_kafka(
    history: History, *, ww_deps: bool = False, subscribed: bool | None = None, allow: tuple[str, ...] = ()
) -> ResultMap:
    """The result map: ``anomaly-types`` is all that was found, ``bad-error-types`` what makes it invalid.

    ``subscribed`` says whether consumers subscribe; by default that is seen in the history. Where the history says that
    the end of a log was asked for and never reached, nobody knows of what is missing there, and none of it is unseen.
    """
    logs = Logs.of(history)
    found = _Found(Orders(logs, Messages.coded(logs), history.statuses()), history.integers("index"))
    unread = _of_messages(found, _ends_reached(history))
    _of_steps(found, history)
    if logs.keys:
        _cycles(found, history, ww_deps)
    if subscribed is None:
        subscribed = bool(history.is_f("subscribe").any())
    allowed = {*ALWAYS_ALLOWED, *allow, *(WITH_SUBSCRIBE if subscribed else ()), *(WITH_WW if ww_deps else ()), TIMEOUT}
    bad = sorted(name for name in found.counts if name not in allowed)
    reasons = ["the search for cycles ended before it was done"] if TIMEOUT in found.counts else []
    if unread:
        reasons.append(f"the last reads did not reach the end: nobody knows of {unread:,} acknowledged messages")
    examined = len(distinct(logs.row[logs.f <= POLL]))
    if not examined and not bad:
        reasons.append("nothing was examined: nothing was sent, and nothing was polled")
    result: ResultMap = {
        "valid?": False if bad else UNKNOWN if reasons else True,
        "anomaly-types": sorted(found.counts),
        "bad-error-types": bad,
        "examined": examined,
        "messages": len(distinct(found.orders.sent)),
        "anomalies": dict(sorted(found.cases.items())),
        "anomaly-counts": dict(sorted(found.counts.items())),
    }
    if reasons:
        result["reason"] = "; ".join(reasons)
    return result


@dataclass
class _Found:
    """Cases by name: all are counted, the first ones are told."""

    orders: Orders
    index: Ints
    cases: dict[str, list[Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, items: Ints, case: Callable[[int], Mapping[str, Any]]) -> None:
        if len(items):
            self.counts[name] = len(items)
            self.cases[name] = [dict(case(int(item))) for item in items[:SHOWN]]

    def message(self, message: int) -> dict[str, Any]:
        """Key and value of a message."""
        key = int(self.orders.messages.key[message])
        return {"key": self.orders.key_name(key), "value": self.orders.name(message)}

    def operations(self, *rows: int) -> list[int]:
        return [int(self.index[row]) for row in rows if row >= 0]


def _ends_reached(history: History) -> set[str] | None:
    """The keys that were read to their end; None where nobody asked, and reads are taken to be whole."""
    asked = history.where(history.is_f(ENDS))
    if not len(asked):
        return None
    reached: set[str] = set()
    for result, ok in zip(asked.table["result"].to_pylist(), asked.statuses() == OK, strict=True):
        said = orjson.loads(result) if isinstance(result, str) else result
        if ok and isinstance(said, Mapping):
            reached |= {str(key) for key, whole in said.items() if whole is not False}
    return reached


def _of_messages(found: _Found, reached: set[str] | None) -> int:
    """What is wrong with single messages, and with single offsets; how many nobody could have seen."""
    orders = found.orders
    logs, messages, status = orders.logs, orders.messages, orders.status
    ok_poll = status[logs.row[orders.polls]] == OK
    aborted = np.flatnonzero(ok_poll & orders.failed[orders.polled])

    def read_by(entry: int) -> dict[str, Any]:
        message = int(orders.polled[entry])
        rows = found.operations(int(logs.row[orders.polls[entry]]), int(orders.writer[message]))
        return {**found.message(message), "operations": rows}

    found.add("G1a", aborted, read_by)
    unwritten = orders.writer[orders.polled] == NONE
    found.add("unwritten-read", _once(orders.polled, np.flatnonzero(unwritten)), read_by)
    found.add("precommitted-read", _precommitted(orders), read_by)
    _lost(found)
    acknowledged = np.zeros(len(messages), dtype=bool)
    acknowledged[orders.sent[status[logs.row[orders.sends]] == OK]] = True
    unseen = np.flatnonzero(acknowledged & ~orders.read_ok)
    whole = np.array([reached is None or str(orders.key_name(key)) in reached for key in range(logs.keys)], dtype=bool)
    known = unseen[whole[messages.key[unseen]]] if logs.keys else unseen
    found.add(
        "unseen",
        known,
        lambda m: {**found.message(m), "operations": found.operations(int(orders.writer[m]))},
    )
    places = np.bincount(orders.pair_message, minlength=len(messages))

    def twice(message: int) -> dict[str, Any]:
        at = orders.place_offset[orders.pair_place[orders.pair_message == message]]
        return {**found.message(message), "count": len(at), "offsets": at.tolist()}

    found.add("duplicate", np.flatnonzero(places > 1), twice)
    several = np.bincount(orders.pair_place, minlength=len(orders.index))

    def contested(place: int) -> dict[str, Any]:
        there = orders.pair_message[orders.pair_place == place]
        where = {"offset": int(orders.place_offset[place]), "index": int(orders.index[place])}
        key = orders.key_name(int(orders.place_key[place]))
        return {"key": key, **where, "values": [orders.name(m) for m in there.tolist()]}

    found.add("inconsistent-offsets", np.flatnonzero(several > 1), contested)
    return len(unseen) - len(known)


def _once(values: Ints, at: Ints) -> Ints:
    """Of these positions the first one of each value."""
    return at[np.unique(values[at], return_index=True)[1]]


def _precommitted(orders: Orders) -> Ints:
    """Polls, one an operation, of a message that the operation itself sent."""
    logs, count = orders.logs, max(len(orders.messages), 1)
    sends = np.zeros(len(orders.status), dtype=bool)
    sends[logs.row[orders.sends]] = True
    both = np.flatnonzero(sends[logs.row[orders.polls]])
    if not len(both):
        return both
    mine = logs.row[orders.sends].astype(np.int64) * count + orders.sent
    own = both[np.isin(logs.row[orders.polls[both]].astype(np.int64) * count + orders.polled[both], mine)]
    return _once(logs.row[orders.polls], own)


def _lost(found: _Found) -> None:
    """Messages of committed operations, up to the highest that was read, that nobody read."""
    orders = found.orders
    messages = orders.messages
    bound = np.full(max(orders.logs.keys, 1), NONE, dtype=np.int64)
    read = np.flatnonzero(orders.read_ok & (orders.first >= 0))
    np.maximum.at(bound, messages.key[read], orders.first[read])
    due = (orders.last >= 0) & (orders.last <= bound[messages.key]) & ~orders.read_ok & (orders.writer != NONE)
    lost = np.flatnonzero(due)
    lost = lost[orders.committed[orders.writer[lost]]]

    def case(message: int) -> dict[str, Any]:
        top = int(bound[messages.key[message]])
        highest = read[(messages.key[read] == messages.key[message]) & (orders.first[read] == top)]
        reader = orders.logs.row[orders.polls[np.flatnonzero(orders.polled == highest[0])[0]]]
        return {
            **found.message(message),
            "index": int(orders.first[message]),
            "max-read-index": top,
            "operations": found.operations(int(orders.writer[message]), int(reader)),
        }

    found.add("lost-write", lost, case)


def _of_steps(found: _Found, history: History) -> None:
    orders = found.orders
    for name, f in (("poll", POLL), ("send", SEND)):
        inside = internal(orders, f)
        _add_steps(found, f"int-{name}-skip", inside.skips)
        _add_steps(found, f"int-nonmonotonic-{name}", inside.back)
    process, _, _ = coded_integers(history.integers("process"))
    takes = history.is_f(*TAKES) & (orders.status != FAILED)
    polls = between(orders, POLL, process, takes)
    _add_steps(found, "poll-skip", polls.skips)
    _add_steps(found, "nonmonotonic-poll", polls.back)
    _add_steps(found, "nonmonotonic-send", between(orders, SEND, process, takes).back)


def _add_steps(found: _Found, name: str, steps: Steps) -> None:
    orders = found.orders

    def case(n: int) -> dict[str, Any]:
        rows = found.operations(*dict.fromkeys((int(steps.before[n]), int(steps.row[n]))))
        told = {
            "key": orders.key_name(int(steps.key[n])),
            "values": [orders.name(int(steps.a[n])), orders.name(int(steps.b[n]))],
            "delta": int(steps.delta[n]),
            "operations": rows,
        }
        if steps.delta[n] > 1:
            told["skipped"] = orders.between(int(steps.key[n]), int(orders.at[steps.a[n]]), int(orders.at[steps.b[n]]))
        return told

    found.add(name, np.arange(len(steps)), case)


def _cycles(found: _Found, history: History, ww_deps: bool) -> None:
    """Who was read by whom, on request who wrote before whom, in real time: what of it goes round in a circle."""
    orders = found.orders
    data = history.is_f(*DATA)
    node = np.cumsum(data) - 1
    timeline = Timeline.of(history.where(data))
    kinds = [(WR, *_read_edges(orders)), *([(WW, *_write_edges(orders))] if ww_deps else [])]
    graph = Graph(int(data.sum()))
    edges = []
    for kind, source, target in kinds:
        differ = source != target
        edges.append((node[source[differ]], node[target[differ]]))
        graph.add(*edges[-1], kind)
    if _has_an_order(timeline, *(np.concatenate(parts) for parts in zip(*edges, strict=True))):
        return
    add_order(graph, timeline, REALTIME)
    cyclic = find_cycles(graph, timeline, _Explainer(orders, np.flatnonzero(data)), (WW, WR, RW, PROCESS, REALTIME))
    for name, cases in cyclic.anomalies.items():
        found.counts[name], found.cases[name] = len(cases), [_of_a_key(case) for case in cases[:SHOWN]]


def _of_a_key(case: dict[str, Any]) -> dict[str, Any]:
    """A cycle with the key that its first dependency is about."""
    key = next((step["key"] for step in case.get("steps", ()) if "key" in step), None)
    return case if key is None else {"key": key, **case}


def _has_an_order(timeline: Timeline, source: Ints, target: Ints) -> bool:
    """Whether a moment within each operation is soon found by which all edges lead to later ones.

    Then there is no circle, also not with real time: what had ended before something began has its moment before it.
    Far cheaper than a search where, as nearly always, nothing is wrong; that none is found says nothing.
    """
    at = timeline.start.copy()
    end = np.where(timeline.ok, timeline.end, NEVER_NS - 1)
    for _ in range(_ROUNDS):
        wrong = at[source] >= at[target]
        if not wrong.any():
            return bool((at <= end).all())
        np.maximum.at(at, target[wrong], at[source[wrong]] + 1)
    return False


def _read_edges(orders: Orders) -> tuple[Ints, Ints]:
    writer = orders.writer[orders.polled]
    known = writer != NONE
    return writer[known], orders.logs.row[orders.polls[known]]


def _write_edges(orders: Orders) -> tuple[Ints, Ints]:
    before, after = _neighbours(orders)
    source, target = orders.writer[before], orders.writer[after]
    known = (source != NONE) & (target != NONE)
    return source[known], target[known]


def _neighbours(orders: Orders) -> tuple[Ints, Ints]:
    """Each message that has a position after the first, and the one before it."""
    after = np.flatnonzero(orders.at > 0)
    place = orders.starts[orders.messages.key[after]] + orders.at[after]
    return orders.chosen[place - 1], after


@dataclass(frozen=True)
class _Explainer:
    """Why one operation comes before another, found again in the entries themselves."""

    orders: Orders
    rows: NDArray[np.int64]

    def explain(self, a: int, b: int, kind: int) -> dict[str, Any]:
        """Key and values of the first dependency of that kind."""
        orders, (first, second) = self.orders, (int(self.rows[a]), int(self.rows[b]))
        if kind == WR:
            seen = np.flatnonzero((orders.logs.row[orders.polls] == second) & (orders.writer[orders.polled] == first))
            return {"type": "wr", **self._said(int(orders.polled[seen[0]]))}
        before, after = _neighbours(orders)
        pairs = np.flatnonzero((orders.writer[before] == first) & (orders.writer[after] == second))
        return {
            "type": "ww",
            **self._said(int(before[pairs[0]])),
            "value'": orders.name(int(after[pairs[0]])),
        }

    def render(self, step: Mapping[str, Any], a: str, b: str) -> str:
        """The step in words."""
        if step["type"] == "wr":
            return f"{b} polled {step['value']}, which {a} sent to {step['key']}"
        return "{} sent {} to {} before {} sent {}".format(a, step["value"], step["key"], b, step["value'"])

    def _said(self, message: int) -> dict[str, Any]:
        orders = self.orders
        return {"key": orders.key_name(int(orders.messages.key[message])), "value": orders.name(message)}
