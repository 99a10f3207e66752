"""Registers that only grow: reads agree on one direction of time. Jepsen's ``monotonic``."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from chaosday.checkers.base import ResultMap, result_map
from chaosday.checkers.graph import Graph, components, realtime_edges, session_edges
from chaosday.errors import MalformedHistory
from chaosday.model.history import OK, History, Token, token_of
from chaosday.record.transactions import COLUMN, READ, Transactions

Order = Literal["none", "session", "realtime"]


def check_monotonic(history: History, *, order: Order = "realtime") -> ResultMap:
    """No two reads saw two growing registers move in opposite directions.

    A read comes before every read that saw more of a key; with ``order`` also before those that
    began after it ended (or came later in its session). A cycle is an anomaly: read skew, or with
    time in it a stale read. Reads are maps of keys to numbers, or numbers with the key beside them.
    """
    rows, reads, keys, values = _readings(history)
    nodes = len(rows)
    # Each (key, value) is a node: readers of the value before lead into it, it leads to its readers.
    by_value = np.lexsort((values, keys))
    k, v, r = keys[by_value], values[by_value], reads[by_value]
    new = np.ones(len(k), dtype=bool)
    new[1:] = (np.diff(k) != 0) | (np.diff(v) != 0)
    group = np.cumsum(new) - 1
    same_key = np.zeros(int(group[-1]) + 1 if len(group) else 0, dtype=bool)
    same_key[1:] = k[np.flatnonzero(new)][1:] == k[np.flatnonzero(new)][:-1] if len(same_key) else []
    graph = Graph(nodes + len(same_key))
    leads = group + 1 < len(same_key)
    leads[leads] = same_key[group[leads] + 1]
    graph.add(r[leads], nodes + group[leads] + 1)
    graph.add(nodes + group, r)
    onward = np.flatnonzero(same_key)
    graph.add(nodes + onward - 1, nodes + onward)
    if order == "session":
        graph.add(*session_edges(history.integers("process")[rows], np.arange(nodes)))
    elif order == "realtime":
        graph.add(*realtime_edges(graph, history.integers("start_ns")[rows], history.ends_ns()[rows]))
    found = [[int(rows[n]) for n in members if n < nodes] for members in components(graph)]
    cases = [{"operations": members[:16], "size": len(members)} for members in found if len(members) > 1]
    unsure = ["transactions write: only reads of registers that grow are judged"] if _writes(history) else []
    return result_map({"nonmonotonic": cases}, examined=nodes, unsure=unsure)


def _writes(history: History) -> bool:
    return COLUMN in history.table.column_names and bool((Transactions.of(history).f != READ).any())


def _readings(history: History) -> tuple[Any, Any, Any, Any]:
    rows = np.flatnonzero(history.is_f("read", "txn", "inc") & (history.statuses() == OK))
    names: dict[Token | None, int] = {}
    reads: list[int] = []
    keys: list[int] = []
    values: list[int] = []
    results, own = history.values("result"), history.tokens("key")
    txns = Transactions.of(history) if COLUMN in history.table.column_names else None
    for n, row in enumerate(rows.tolist()):
        said = results[row]
        if txns is not None:
            seen = {token_of(key): value for _, key, value in txns.mops(row)}
        else:
            seen = {token_of(key): value for key, value in said.items()} if isinstance(said, dict) else {own[row]: said}
        for key, value in seen.items():
            if value is None:
                continue
            if type(value) is not int or abs(value) >= 2**62:
                raise MalformedHistory(f"operation {row}: {str(value)[:80]} is not a number that can grow")
            reads.append(n)
            keys.append(names.setdefault(key, len(names)))
            values.append(value)
    return rows, np.array(reads, np.int64), np.array(keys, np.int64), np.array(values, np.int64)
