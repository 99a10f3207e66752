"""Isolation of histories that know sessions but no times: from read committed to serializable.

Definitions of the weak levels after Biswas and Enea, "On the complexity of checking transactional
consistency" (OOPSLA 2019): for a transaction t3 that reads key x from t1, every other writer t2 of x
that t3 can see has to be committed before t1. What "can see" is makes the level: read committed, what
t3 read from earlier in itself; read atomic, what it read from and its session; causal, all that leads
to it. The bounds are those of AWDIT (Møldrup, Pavlogiannis, PLDI 2025). Snapshot isolation and
serializability need an order of writes; ``polygraph`` looks for one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chaosday.checkers.base import ResultMap, result_map
from chaosday.checkers.consistency import CANONICAL, canonical, friendly, stronger
from chaosday.checkers.graph import Edges, find_cycle, topological
from chaosday.checkers.polygraph import decide
from chaosday.checkers.sessions import Sessions, sessions
from chaosday.errors import UnknownName
from chaosday.model.history import History
from chaosday.record.transactions import Transactions

LEVELS = ("read-committed", "read-atomic", "causal", "snapshot-isolation", "serializable")
_LEVEL_OF = {
    "PL-1": 0, "PL-2": 0, "monotonic-atomic-view": 1, "read-atomic": 1, "causal": 2, "causal-cerone": 2,
    "PL-SI": 3, "strong-session-snapshot-isolation": 3, "strong-snapshot-isolation": 3,
    "PL-2.99": 4, "PL-3": 4, "strong-session-serializable": 4, "PL-SS": 4,
}  # fmt: skip
_CLOCKS = 200_000_000


def sessions_only(history: History) -> bool:
    """Whether no operation that was answered has a time of its end: a history of sessions."""
    return (
        len(history) > 0
        and history.table["end_ns"].null_count == len(history)
        and bool((history.statuses() == 0).any())
    )


def check_sessions(history: History, models: Sequence[str], *, initial: Any = None) -> ResultMap:
    """The weakest level up to the strongest of ``models`` that the history violates, if any.

    ``initial`` is what keys hold before anybody writes them; a read of anything else that nobody
    wrote is an anomaly at every level.
    """
    if len(Transactions.of(history).elements):
        return _result({}, 0, None, ["it holds lists: only reads and writes are judged"])
    asked = max((_level(model) for model in models), default=len(LEVELS) - 1)
    read = sessions(history, initial)
    examined = max(len(read.names) - 1, 0)  # the initial state is nobody's transaction
    if any(read.anomalies.values()):
        level = (
            "read-atomic" if {name for name, cases in read.anomalies.items() if cases} <= {"internal"} else LEVELS[0]
        )
        level = LEVELS[0] if asked == 0 else level
        return _result(read.anomalies, examined, level)
    unsure: list[str] = []
    for number in range(asked + 1):
        cycle, reason = _violated(read, LEVELS[number])
        if cycle:
            return _result({f"{LEVELS[number]}-cycle": [read.case(cycle)]}, examined, LEVELS[number])
        unsure += [reason] if reason else []
    return _result({}, examined, None, unsure)


def _level(model: str) -> int:
    level = _LEVEL_OF.get(canonical(model))
    if level is None:
        raise UnknownName(f"without times {model} cannot be judged; {', '.join(LEVELS)} can")
    return level


def _result(anomalies: Any, examined: int, level: str | None, unsure: Sequence[str] = ()) -> ResultMap:
    name = "causal-cerone" if level == "causal" else level
    others = stronger([CANONICAL.get(name, name)]) - {CANONICAL.get(name, name)} if name else frozenset[str]()
    return result_map(
        anomalies, examined=examined, unsure=unsure, **{"not": [level] if level else [], "also-not": friendly(others)}
    )


def _violated(read: Sessions, level: str) -> tuple[list[int] | None, str]:
    """A circle of transactions that the level does not allow, and the reason if it cannot be decided."""
    if level in ("snapshot-isolation", "serializable"):
        return decide(read, snapshot=level == "snapshot-isolation")
    known = [*read.session_edges(), *read.reads_from()]
    cycle = find_cycle(len(read.names), known)
    if cycle is not None:
        return cycle, ""
    if level == "causal":
        clocks = _clocks(read, known)
        if clocks is None:
            return None, f"{len(read.names)} transactions in {len(read.members)} sessions are too many clocks"
        commits = set(_causal(read, clocks))
    else:
        commits = set(_committed(read) if level == "read-committed" else _atomic(read))
    return find_cycle(len(read.names), [*known, *commits]), ""


def _committed(read: Sessions) -> Iterator[tuple[int, int]]:
    for reads in read.reads:
        earlier: dict[int, None] = {}
        for key, t1 in reads:
            for t2 in earlier:
                if t2 != t1 and key in read.writes[t2]:
                    yield t2, t1
            earlier[t1] = None


def _atomic(read: Sessions) -> Iterator[tuple[int, int]]:
    for members in read.members:
        last: dict[Any, int] = {}  # of the writers of a key in a session the latest implies the others
        for t3 in members:
            seen = {t1 for _, t1 in read.reads[t3]}
            for key, t1 in read.reads[t3]:
                own = last.get(key, t1)
                if own != t1:
                    yield own, t1
                for t2 in seen:
                    if t2 != t1 and key in read.writes[t2]:
                        yield t2, t1
            for key in read.writes[t3]:
                last[key] = t3


def _causal(read: Sessions, clocks: Any) -> Iterator[tuple[int, int]]:
    writers: dict[Any, list[list[int]]] = {}
    for number, members in enumerate(read.members):
        for place, t in enumerate(members):
            for key in read.writes[t]:
                writers.setdefault(key, [[] for _ in read.members])[number].append(place)
    for t3, reads in enumerate(read.reads):
        for key, t1 in reads:
            for number, places in enumerate(writers.get(key, ())):
                at = bisect_right(places, int(clocks[t3, number])) - 1
                if at >= 0 and (t2 := read.members[number][places[at]]) not in (t1, t3):
                    yield t2, t1


def _clocks(read: Sessions, known: Edges) -> Any:
    """For each transaction the last one of each session that leads to it, -1 for none."""
    count, width = len(read.names), len(read.members)
    if count * width > _CLOCKS:
        return None
    clocks = np.full((count, width), -1, dtype=np.int32)
    place = {t: (number, at) for number, members in enumerate(read.members) for at, t in enumerate(members)}
    before: list[list[int]] = [[] for _ in range(count)]
    for a, b in known:
        before[b].append(a)
    for t in topological(count, known):
        for a in before[t]:
            np.maximum(clocks[t], clocks[a], out=clocks[t])
            number, at = place[a]
            clocks[t, number] = max(clocks[t, number], at)
    return clocks
