"""Transactions over registers, each value written once: every anomaly that Elle's rw-register check names.

Beside who read from whom nothing is certain but what ``versions`` infers; with writes that follow
reads (``wfr_keys``) the order of versions is known and the check is complete. A register whose
writes are blind has cycles that nobody can see from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers import within
from chaosday.checkers.base import ResultMap
from chaosday.checkers.elle import EXPECTED, Expected, Timeline, add_order, elle_result, find_cycles
from chaosday.checkers.graph import PROCESS, REALTIME, RW, WR, WW, Graph
from chaosday.checkers.lookup import Ints, products, same_before
from chaosday.checkers.versions import NO_SOURCES, Sources, Versions, versions
from chaosday.model.history import History, token_of
from chaosday.record.transactions import APPEND, NIL, READ, Transactions

_PAIRS = 40_000_000
_STRONGEST = (WR, WW, RW, PROCESS, REALTIME)


def check_rw_register(
    history: History,
    expected: Expected = EXPECTED,
    sources: Sources = NO_SOURCES,
) -> ResultMap:
    """Elle's result map for a history of ``[r k v]`` and ``[w k v]`` transactions."""
    txns, timeline = Transactions.of(history), Timeline.of(history)
    examined = int((np.diff(txns.first) > 0).sum())
    if (txns.f == APPEND).any() or len(txns.elements):
        return elle_result({}, expected, examined=examined, unsure=["it holds lists: only reads and writes are judged"])
    found = versions(txns, timeline, sources)
    graph, unsure = _graph(found, timeline)
    anomalies = _single(found, timeline)
    if not sources.excerpt:
        anomalies["unwritten-read"] = _unwritten(found, timeline, sources.initial)
    ordered = add_order(graph, timeline, expected.order)
    if not ordered and graph.empty:
        anomalies["empty-transaction-graph"] = [True]
    cyclic = find_cycles(graph, timeline, _Explainer(found), _STRONGEST)
    return elle_result(
        {**anomalies, **cyclic.anomalies},
        expected,
        examined=examined,
        unsure=unsure,
        components=cyclic.components,
        sources=found.sources,
    )


def _single(found: Versions, timeline: Timeline) -> dict[str, list[Any]]:
    txns, index, owner = found.txns, timeline.index, found.txns.owner
    ok_reads = np.flatnonzero((txns.f == READ) & timeline.ok[owner])
    aborted = _writer(found, ~timeline.possible[owner] & (txns.f != READ))
    overwritten = _writer(found, within.intermediate(txns))
    anomalies: dict[str, list[Any]] = {
        "internal": _internal(txns, timeline),
        "cyclic-versions": found.cyclic,
        "lost-update": _lost_updates(found, timeline),
    }
    for name, writer in (("G1a", aborted), ("G1b", overwritten)):
        by = writer[found.version[ok_reads]]
        bad = np.flatnonzero((by >= 0) & (by != owner[ok_reads]))
        anomalies[name] = [
            _read_case(found, ok_reads[n], [int(index[owner[ok_reads[n]]]), int(index[by[n]])]) for n in bad.tolist()
        ]
    return anomalies


def _unwritten(found: Versions, timeline: Timeline, initial: Any) -> list[dict[str, Any]]:
    """Reads of what nobody wrote, whatever became of their transactions: Elle takes such a history for valid."""
    txns = found.txns
    reads = np.flatnonzero((txns.f == READ) & timeline.ok[txns.owner] & (txns.value != NIL))
    nowhere = reads[_writer(found, txns.f != READ)[found.version[reads]] < 0]
    cases = [_read_case(found, int(mop), [int(timeline.index[txns.owner[mop]])]) for mop in nowhere]
    return [case for case in cases if token_of(case["value"]) != token_of(initial)]


def _read_case(found: Versions, mop: int, operations: list[int]) -> dict[str, Any]:
    """What was read by a micro-operation, and the operations that show that it should not have been."""
    txns = found.txns
    return {
        "key": txns.key_names[int(txns.key[mop])],
        "value": txns.name_of_value(int(txns.value[mop])),
        "operations": operations,
    }


def _writer(found: Versions, mops: NDArray[np.bool_]) -> Ints:
    """The transaction of one of ``mops`` for each version, -1 for none."""
    writer = np.full(len(found.key), -1, dtype=np.int64)
    writer[found.version[mops]] = found.txns.owner[mops]
    return writer


def _internal(txns: Transactions, timeline: Timeline) -> list[Any]:
    """Reads that differ from what their own transaction read or wrote of the key just before."""
    owner = txns.owner
    settled = np.zeros(len(txns.key), dtype=bool)
    cases: dict[int, tuple[int, int]] = {}
    for earlier, later in same_before(owner, txns.key, txns.longest):
        new = ~settled[later]
        settled[later] = True
        bad = new & (txns.f[later] == READ) & (txns.value[earlier] != txns.value[later]) & timeline.ok[owner[later]]
        for a, b in zip(earlier[bad].tolist(), later[bad].tolist(), strict=True):
            t = int(owner[b])
            cases[t] = min(cases.get(t, (b, a)), (b, a))
    return [
        {
            "operations": [int(timeline.index[t])],
            "mop": ["r", txns.key_names[int(txns.key[b])], txns.name_of_value(int(txns.value[b]))],
            "expected": txns.name_of_value(int(txns.value[a])),
        }
        for t, (b, a) in sorted(cases.items())
    ]


def _lost_updates(found: Versions, timeline: Timeline) -> list[Any]:
    txns = found.txns
    based = within.read_then_written(txns, timeline.ok)
    version = found.version[based]
    times = np.bincount(version, minlength=1)
    groups: dict[int, list[int]] = {}
    for mop in based[times[version] > 1].tolist():
        groups.setdefault(int(found.version[mop]), []).append(mop)
    return [
        {
            "key": txns.key_names[int(found.key[number])],
            "value": found.name(number),
            "operations": [int(timeline.index[txns.owner[mop]]) for mop in mops],
        }
        for number, mops in groups.items()
    ]


def _graph(found: Versions, timeline: Timeline) -> tuple[Graph, list[str]]:
    """Who read from whom (wr), and along the order of versions who overwrote (ww) and read before (rw) whom."""
    txns, owner, unsure = found.txns, found.txns.owner, list[str]()
    graph = Graph(len(txns))
    ok = timeline.ok[owner]
    writes, reads = np.flatnonzero(found.writes & ok), np.flatnonzero(found.reads & ok)
    writer = _writer(found, found.writes & ok)
    times = np.bincount(found.version[writes], minlength=len(found.key))
    several = reads[times[found.version[reads]] > 1]
    if len(several):
        mop = int(several[0])
        key, value = txns.key_names[int(txns.key[mop])], txns.name_of_value(int(txns.value[mop]))
        unsure.append(f"{value} was written to {key} more than once: reads of it tell nothing")
        times_ok = times[found.version] == 1
        writes, reads = writes[times_ok[writes]], reads[times_ok[reads] | (times[found.version[reads]] == 0)]
        writer[times > 1] = -1
    source = writer[found.version[reads]]
    graph.add(source[source >= 0], owner[reads[source >= 0]], WR)
    a, b = writer[found.source], writer[found.target]
    both = (a >= 0) & (b >= 0)
    graph.add(a[both], b[both], WW)
    edges = np.flatnonzero(b >= 0)
    pairs = products(b[edges], found.source[edges], owner[reads], found.version[reads], _PAIRS)
    if pairs is None:
        unsure.append("too many reads of versions that too many others overwrote to relate them all")
    else:
        graph.add(pairs[1], pairs[0], RW)
    return graph, unsure


@dataclass(frozen=True)
class _Explainer:
    """Why one transaction comes before another, found again in the transactions themselves."""

    found: Versions

    def explain(self, a: int, b: int, kind: int) -> dict[str, Any]:
        """The key and the values of the first dependency of that kind."""
        found, named = self.found, ("ww", "wr", "rw")[kind]
        first = self._met(a, found.reads if kind == RW else found.writes)
        then = self._met(b, found.reads if kind == WR else found.writes)
        for one in first:
            for two in then:
                if kind == WR and one == two:
                    return {"type": named, "key": self._key(one), "value": found.name(one)}
                if kind != WR and bool(((found.source == one) & (found.target == two)).any()):
                    return {"type": named, "key": self._key(one), "value": found.name(one), "value'": found.name(two)}
        return {"type": named}

    def render(self, step: Mapping[str, Any], a: str, b: str) -> str:
        """The step in words."""
        if "key" not in step:
            return f"{b} depends on {a}"
        key, value, after = step["key"], step["value"], step.get("value'")
        if step["type"] == "wr":
            return f"{b} read {key} = {value}, which {a} had written"
        did = "read" if step["type"] == "rw" else "wrote"
        return f"{a} {did} {key} = {value}, and {b} wrote {after}, a later version"

    def _met(self, t: int, mask: NDArray[np.bool_]) -> list[int]:
        low, high = int(self.found.txns.first[t]), int(self.found.txns.first[t + 1])
        return [int(self.found.version[m]) for m in range(low, high) if mask[m]]

    def _key(self, version: int) -> Any:
        return self.found.txns.key_names[int(self.found.key[version])]
