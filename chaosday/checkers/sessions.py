"""A history of sessions as transactions that wrote keys and read from each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chaosday.model.history import FAILED, OK, History, token_of, value_of
from chaosday.record.transactions import Transactions

INITIAL = "initial state"


@dataclass
class Sessions:
    """Committed transactions from 0; the last one stands for the initial state, before all sessions.

    ``reads[t]`` are the external reads of ``t`` in its order as (key, who wrote what was read),
    ``writes[t]`` the keys it wrote, ``members`` the sessions, ``names`` the operations' indices.
    """

    names: list[Any] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)
    reads: list[list[tuple[Any, int]]] = field(default_factory=list)
    writes: list[set[Any]] = field(default_factory=list)
    anomalies: dict[str, list[Any]] = field(default_factory=dict)

    def session_edges(self) -> Iterator[tuple[int, int]]:
        """From the initial state to each session, and along it."""
        for members in self.members[:-1]:
            yield from zip([self.members[-1][0], *members], members, strict=False)

    def reads_from(self) -> Iterator[tuple[int, int]]:
        """From each writer to those that read from it."""
        for reader, reads in enumerate(self.reads):
            for writer in dict.fromkeys(writer for _, writer in reads):
                yield writer, reader

    def case(self, cycle: list[int]) -> dict[str, Any]:
        """A circle of transactions as an anomaly."""
        return {"operations": [self.names[t] for t in cycle if self.names[t] != INITIAL], "size": len(cycle) - 1}


def sessions(history: History, initial: Any) -> Sessions:
    """Who read from whom; reads that no committed final write explains are anomalies by name."""
    txns, status = Transactions.of(history), history.statuses()
    index, process = history.integers("index"), history.integers("process")
    read = Sessions(
        anomalies={name: [] for name in ("G1a", "G1b", "internal", "future-read", "unwritten-read", "repeated-write")}
    )
    committed = [(t, txns.mops(t)) for t in range(len(txns)) if status[t] == OK and txns.first[t] < txns.first[t + 1]]
    number: dict[int, int] = {}
    for t, mops in committed:
        number.setdefault(int(process[t]), len(number))
        if number[int(process[t])] == len(read.members):
            read.members.append([])
        read.members[number[int(process[t])]].append(len(read.names))
        read.names.append(int(index[t]))
        read.writes.append({token_of(key) for f, key, _ in mops if f == "w"})
    origin = len(read.names)
    final, between = _written([mops for _, mops in committed], read)
    aborted = {
        _pair(key, value) for t in range(len(txns)) if status[t] == FAILED for f, key, value in txns.mops(t) if f == "w"
    }
    for t, (_, mops) in enumerate(committed):
        read.reads.append(list(_external(read, t, mops, (final, between, aborted), initial, origin)))
    # The initial state wrote every key, before every session.
    read.names.append(INITIAL)
    read.reads.append([])
    read.writes.append(set().union(*read.writes, {key for reads in read.reads for key, _ in reads}))
    read.members.append([origin])
    if not committed:
        return Sessions(anomalies={})
    return read


def _written(mops_of: list[list[list[Any]]], read: Sessions) -> tuple[dict[Any, int], dict[Any, int]]:
    """Who wrote each value last in its transaction, and who wrote it only in between."""
    final: dict[Any, int] = {}
    between: dict[Any, int] = {}
    for t, mops in enumerate(mops_of):
        last: dict[Any, Any] = {}
        for f, key, value in mops:
            if f == "w":
                if token_of(key) in last:
                    between[last[token_of(key)]] = t
                last[token_of(key)] = _pair(key, value)
        for pair in last.values():
            if pair in final:
                read.anomalies["repeated-write"].append(
                    {"operations": [read.names[final[pair]], read.names[t]], "key": value_of(pair[0])}
                )
            final[pair] = t
    return final, between


def _external(
    read: Sessions,
    t: int,
    mops: list[list[Any]],
    written: tuple[dict[Any, int], dict[Any, int], set[Any]],
    initial: Any,
    origin: int,
) -> Iterator[tuple[Any, int]]:
    final, between, aborted = written
    own: dict[Any, Any] = {}
    for f, key, value in mops:
        pair, name = _pair(key, value), token_of(key)
        if f == "w":
            own[name] = pair
            continue
        case = {"key": key, "value": value, "operations": [read.names[t]]}
        if name in own:
            if own[name] != pair:
                read.anomalies["internal"].append(case)
            continue
        writer = final.get(pair)
        if writer == t:
            read.anomalies["future-read"].append(case)
        elif writer is not None:
            yield name, writer
        elif pair in aborted:
            read.anomalies["G1a"].append(case)
        elif pair in between:
            kind = "future-read" if between[pair] == t else "G1b"
            read.anomalies[kind].append(case)
        elif value is None or pair[1] == token_of(initial):
            yield name, origin
        else:
            read.anomalies["unwritten-read"].append(case)


def _pair(key: Any, value: Any) -> tuple[Any, Any]:
    return token_of(key), token_of(value)
