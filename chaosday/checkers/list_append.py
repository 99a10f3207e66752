"""Transactions that append to and read lists: every anomaly that Elle's list-append check names.

Alvaro, Kingsbury, "Elle: Inferring Isolation Anomalies from Experimental Observations" (VLDB 2020).
Everything is found by comparing columns; only what is wrong is then looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chaosday.checkers import within
from chaosday.checkers.append_orders import Columns, Orders, orders
from chaosday.checkers.base import ResultMap
from chaosday.checkers.elle import EXPECTED, Cyclic, Expected, Timeline, add_order, elle_result, find_cycles
from chaosday.checkers.graph import PROCESS, REALTIME, RW, WR, WW, Graph
from chaosday.checkers.lookup import Ints, Lookup, code_of, products
from chaosday.model.history import FAILED, History
from chaosday.record.transactions import APPEND, NIL, READ, WRITE, Transactions

_PAIRS = 40_000_000
_STRONGEST = (WW, WR, RW, PROCESS, REALTIME)


def check_list_append(history: History, expected: Expected = EXPECTED) -> ResultMap:
    """Elle's result map for a history of ``[r k [..]]`` and ``[append k v]`` transactions."""
    txns, timeline = Transactions.of(history), Timeline.of(history)
    examined = int((np.diff(txns.first) > 0).sum())
    if (txns.f == WRITE).any():
        return elle_result(
            {}, expected, examined=examined, unsure=["it holds writes: only reads and appends are judged"]
        )
    if ((txns.f == READ) & (txns.value != NIL)).any():
        return elle_result({}, expected, examined=examined, unsure=["it reads single values: only lists are judged"])
    columns = Columns.of(txns)
    appended = _Appends(txns, columns)
    if len(appended.twice):
        case = _mop(txns, int(appended.twice[0]))
        unsure = [f"duplicate-appends: {case} is appended more than once"]
        return elle_result(_alone(txns, timeline), expected, examined=examined, unsure=unsure)
    version = orders(txns, columns, timeline.possible, timeline.ok)
    writers = _Writers(version, appended, timeline)
    anomalies = _single(txns, timeline, version, appended, writers)
    graph, unsure = _graph(txns, timeline, version, appended, writers)
    ordered = add_order(graph, timeline, expected.order)
    if not ordered and graph.empty:
        anomalies["empty-transaction-graph"] = [True]
    cyclic: Cyclic = find_cycles(graph, timeline, _Explainer(version), _STRONGEST)
    return elle_result(
        {**anomalies, **cyclic.anomalies},
        expected,
        examined=examined,
        unsure=unsure,
        components=cyclic.components,
    )


def _alone(txns: Transactions, timeline: Timeline) -> dict[str, list[Any]]:
    """What contradicts itself, whatever all others did: all that is left where appends are not unique."""
    anomalies: dict[str, list[Any]] = {"internal": [], "future-read": []}
    for t in np.flatnonzero(timeline.ok).tolist():
        mops, rows = txns.mops(t), {"operations": [int(timeline.index[t])]}
        for name, find in (("internal", within.contradicts_itself), ("future-read", within.foresees)):
            case = find(mops)
            if case is not None:
                anomalies[name].append({**rows, **case})
    return anomalies


class _Appends:
    """Every append of any transaction, by its code of key and element."""

    def __init__(self, txns: Transactions, columns: Columns) -> None:
        self.mops = np.flatnonzero(txns.f == APPEND)
        self.codes = code_of(txns.key[self.mops], columns.values[self.mops], columns.size)
        self.lookup = Lookup(self.codes, txns.keys * columns.size)
        self.twice = self.mops[self.lookup.repeated(self.codes)]

    def find(self, codes: Ints) -> Ints:
        """The append of each code, as a micro-operation; -1 if there is none."""
        if not len(self.mops):
            return np.full(len(codes), -1, dtype=np.int64)
        row = self.lookup.find(codes)
        return np.where(row >= 0, self.mops[row], -1)


class _Writers:
    """For each version of each key: the append that made it and that append's transaction, -1 for none.

    ``writer`` is only set for transactions that can have happened; ``failed`` marks the others.
    """

    def __init__(self, version: Orders, appended: _Appends, timeline: Timeline) -> None:
        owner = version.txns.owner
        keys = np.repeat(np.arange(version.txns.keys), np.diff(version.first))
        self.key = keys
        self.mop = appended.find(version.code(keys, version.element))
        made = np.where(self.mop >= 0, owner[self.mop] if len(owner) else -1, -1)
        self.any = made
        status = np.where(made >= 0, timeline.status[made] if len(timeline.status) else 0, 0)
        self.failed = (made >= 0) & (status == FAILED)
        self.writer = np.where(self.failed, -1, made)


def _single(
    txns: Transactions, timeline: Timeline, version: Orders, appended: _Appends, writers: _Writers
) -> dict[str, list[Any]]:
    """The anomalies that need no cycle."""
    index = timeline.index
    contradicted, foreseen = within.internal_cases(version, timeline.ok)
    anomalies: dict[str, list[Any]] = {
        "internal": [
            {"operations": [int(index[t])], **(within.contradicts_itself(txns.mops(t)) or {})} for t in contradicted
        ],
        "future-read": [{"operations": [int(index[t])], **(within.foresees(txns.mops(t)) or {})} for t in foreseen],
        "incompatible-order": [_with_operations(case, txns, index) for case in version.incompatible],
        "duplicate-elements": [_with_operations(case, txns, index) for case in version.duplicates],
    }
    anomalies |= _bad_elements(txns, timeline, version, appended, writers)
    anomalies["G1b"] = _intermediate_reads(txns, timeline, version, appended)
    anomalies["lost-update"] = _lost_updates(txns, timeline, version)
    return anomalies


def _bad_elements(
    txns: Transactions, timeline: Timeline, version: Orders, appended: _Appends, writers: _Writers
) -> dict[str, list[Any]]:
    """Reads of what failed transactions appended, of what nobody did, and updates on top of the first."""
    strange = writers.failed | (writers.any < 0)
    keys = set(np.unique(writers.key[strange]).tolist()) | set(np.flatnonzero(version.odd).tolist())
    found: dict[str, list[Any]] = {"G1a": [], "unwritten-read": [], "dirty-update": []}
    if not keys:
        return found
    owner, elements = txns.owner, version.columns.elements
    wanted = np.zeros(txns.keys, dtype=bool)
    wanted[list(keys)] = True
    reads = version.reads[wanted[txns.key[version.reads]] & timeline.ok[owner[version.reads]]]
    for read in reads.tolist():
        seen = elements[txns.list_first[read] : txns.list_first[read + 1]]
        made = appended.find(version.code(np.full(len(seen), txns.key[read]), seen))
        for position in range(len(seen)):
            writer = int(owner[made[position]]) if made[position] >= 0 else -1
            if writer >= 0 and timeline.status[writer] != FAILED:
                continue
            rows = [int(timeline.index[t]) for t in (int(owner[read]), writer) if t >= 0]
            element = txns.mops(int(owner[read]))[read - int(txns.first[owner[read]])][2][position]
            case = {
                "key": txns.key_names[int(txns.key[read])],
                "element": element,
                "operations": rows,
                "mop": _mop(txns, read),
            }
            found["G1a" if writer >= 0 else "unwritten-read"].append(case)
    for key in sorted(keys):
        found["dirty-update"] += _dirty(txns, timeline, version, writers, key)
    return found


def _dirty(txns: Transactions, timeline: Timeline, version: Orders, writers: _Writers, key: int) -> list[Any]:
    """A committed append directly on top of an aborted one, over appends of which nobody knows."""
    cases, below = [], -1
    for position in range(int(version.first[key]), int(version.first[key + 1])):
        writer = int(writers.any[position])
        if writer < 0:
            continue
        if writers.failed[position]:
            below = writer
        elif timeline.ok[writer]:
            if below >= 0:
                rows = [int(timeline.index[below]), int(timeline.index[writer])]
                cases.append({"key": txns.key_names[key], "operations": rows})
            below = -1
    return cases


def _intermediate_reads(txns: Transactions, timeline: Timeline, version: Orders, appended: _Appends) -> list[Any]:
    flags = within.intermediate(txns)
    if not flags.any():
        return []
    owner, elements = txns.owner, version.columns.elements
    reads = version.reads[(txns.lengths[version.reads] > 0) & timeline.ok[owner[version.reads]]]
    made = appended.find(version.code(txns.key[reads], elements[txns.list_first[reads + 1] - 1]))
    bad = np.flatnonzero((made >= 0) & flags[made] & (owner[made] != owner[reads]))
    return [
        {
            "key": txns.key_names[int(txns.key[reads[n]])],
            "operations": [int(timeline.index[owner[reads[n]]]), int(timeline.index[owner[made[n]]])],
            "mop": _mop(txns, int(reads[n])),
        }
        for n in bad.tolist()
    ]


def _lost_updates(txns: Transactions, timeline: Timeline, version: Orders) -> list[Any]:
    """Several committed transactions that read the same state of a key and wrote the key."""
    based = within.read_then_written(txns, timeline.ok)
    state = np.full(len(txns.key), -1, dtype=np.int64)
    state[version.reads] = version.state
    keys = txns.key[based]
    normal = ~version.odd[keys]
    groups: dict[Any, list[int]] = {}
    rows = based[normal]
    where = version.first[txns.key[rows]] + txns.key[rows] + state[rows]
    times = np.bincount(where) if len(where) else np.zeros(0, dtype=np.int64)
    for mop, place in zip(rows[times[where] > 1].tolist(), where[times[where] > 1].tolist(), strict=True):
        groups.setdefault(place, []).append(mop)
    for mop in based[~normal].tolist():
        seen = tuple(txns.elements[txns.list_first[mop] : txns.list_first[mop + 1]].tolist())
        groups.setdefault((int(txns.key[mop]), seen), []).append(mop)
    owner = txns.owner
    return [
        {
            "key": txns.key_names[int(txns.key[mops[0]])],
            "value": _mop(txns, mops[0])[2],
            "operations": [int(timeline.index[owner[mop]]) for mop in mops],
        }
        for mops in groups.values()
        if len(mops) > 1
    ]


def _graph(
    txns: Transactions, timeline: Timeline, version: Orders, appended: _Appends, writers: _Writers
) -> tuple[Graph, list[str]]:
    """Who overwrote whom (ww), read from whom (wr), and read before whom (rw)."""
    graph, owner, elements = Graph(len(txns)), txns.owner, version.columns.elements
    first, unsure = version.first, list[str]()
    # Of appends that were read the one before is known.
    known = np.flatnonzero(writers.writer >= 0)
    after = known[known > first[writers.key[known]]]
    previous = writers.writer[after - 1]
    graph.add(previous[previous >= 0], writers.writer[after[previous >= 0]], WW)
    # A read leads from who appended what it saw last, and to who appended what comes next.
    reads, state = version.reads, version.state
    saw = txns.lengths[reads] > 0
    last = first[txns.key[reads]] + state - 1
    placed = saw & (state > 0)
    source = np.full(len(reads), -1, dtype=np.int64)
    source[placed] = writers.writer[last[placed]]
    lost = np.flatnonzero(saw & version.odd[txns.key[reads]])
    made = appended.find(version.code(txns.key[reads[lost]], elements[txns.list_first[reads[lost] + 1] - 1]))
    source[lost] = (
        np.where((made >= 0) & timeline.possible[owner[made]], owner[made], -1) if len(lost) else source[lost]
    )
    graph.add(source[source >= 0], owner[reads[source >= 0]], WR)
    ends = first[txns.key[reads] + 1]
    follows = (state >= 0) & (last + 1 < ends)
    overwriter = writers.writer[last[follows] + 1]
    graph.add(owner[reads[follows]][overwriter >= 0], overwriter[overwriter >= 0], RW)
    # Appends that nobody read came after everything that was read of their key.
    unread = appended.mops[timeline.possible[owner[appended.mops]]]
    codes = appended.codes[timeline.possible[owner[appended.mops]]]
    unread = unread[version.place.find(codes) < 0]
    keys = txns.key[unread]
    top = np.where(
        first[keys + 1] > first[keys], writers.writer[first[keys + 1] - 1] if len(writers.writer) else -1, -1
    )
    graph.add(top[top >= 0], owner[unread[top >= 0]], WW)
    at_end = (state >= 0) & (last + 1 == ends)
    pairs = products(owner[reads[at_end]], txns.key[reads[at_end]], owner[unread], keys, _PAIRS)
    if pairs is None:
        unsure.append("too many appends were never read to relate them all")
    else:
        graph.add(*pairs, RW)
    return graph, unsure


@dataclass(frozen=True)
class _Explainer:
    """Why one transaction comes before another, found again in the transactions themselves."""

    version: Orders

    def explain(self, a: int, b: int, kind: int) -> dict[str, Any]:
        """The key and the elements of the first dependency of that kind."""
        steps = {WW: self._ww, WR: self._wr, RW: self._rw}[kind](a, b)
        return next(steps, {"type": ("ww", "wr", "rw")[kind]})

    def render(self, step: Mapping[str, Any], a: str, b: str) -> str:
        """The step in words."""
        if "key" not in step:
            return f"{b} depends on {a}"
        key, value, after = step["key"], step.get("value"), step.get("value'")
        if step["type"] == "ww":
            return f"{b} appended {after} to {key} after {a} had appended {value}"
        if step["type"] == "wr":
            return f"{b} saw {a}'s append of {value} to {key}"
        if value is None:
            return f"{a} saw nothing in {key}, to which {b} appended {after}"
        return f"{a} did not see {b}'s append of {after} to {key}"

    def _before(self, key: int, mop: int) -> int | None:
        """The element before an append, None if it was the first; the last one read if it was never read."""
        value = self.version.columns.values[mop]
        order = self.version.of(key)
        at = order.index(value) if value in order else len(order)
        return order[at - 1] if at else None

    def _ww(self, a: int, b: int) -> Any:
        for key, mop in self._mops(b, APPEND):
            before = self._before(key, mop)
            if before is not None and before in self._appended(a, key):
                yield self._step("ww", key, before, mop)

    def _wr(self, a: int, b: int) -> Any:
        for key, mop in self._mops(b, READ):
            seen = self._seen(mop)
            if seen and seen[-1] in self._appended(a, key):
                yield self._step("wr", key, seen[-1], None)

    def _rw(self, a: int, b: int) -> Any:
        for key, mop in self._mops(b, APPEND):
            before = self._before(key, mop)
            for read_key, read in self._mops(a, READ):
                seen = self._seen(read)
                if read_key == key and (seen[-1] if seen else None) == before:
                    yield self._step("rw", key, before, mop)

    def _mops(self, t: int, f: int) -> list[tuple[int, int]]:
        txns = self.version.txns
        return [(int(txns.key[m]), m) for m in range(int(txns.first[t]), int(txns.first[t + 1])) if txns.f[m] == f]

    def _appended(self, t: int, key: int) -> set[int]:
        values = self.version.columns.values
        return {int(values[m]) for k, m in self._mops(t, APPEND) if k == key}

    def _seen(self, read: int) -> list[int]:
        txns = self.version.txns
        seen: list[int] = self.version.columns.elements[txns.list_first[read] : txns.list_first[read + 1]].tolist()
        return seen

    def _step(self, kind: str, key: int, value: int | None, after: int | None) -> dict[str, Any]:
        txns, name = self.version.txns, self.version.columns.name
        step = {
            "type": kind,
            "key": txns.key_names[key],
            "value": None if value is None else txns.name_of_value(name(value)),
        }
        if after is not None:
            step["value'"] = txns.name_of_value(int(txns.value[after]))
        return step


def _mop(txns: Transactions, mop: int) -> list[Any]:
    t = int(np.searchsorted(txns.first, mop, side="right")) - 1
    return txns.mops(t)[mop - int(txns.first[t])]


def _with_operations(case: Mapping[str, Any], txns: Transactions, index: Ints) -> dict[str, Any]:
    owner = txns.owner
    mops = case.get("mops") or [case["mop"]]
    kept = {name: value for name, value in case.items() if name not in ("mop", "mops")}
    return {**kept, "operations": [int(index[owner[mop]]) for mop in mops]}
