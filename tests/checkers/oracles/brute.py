"""Small histories judged by trying everything: slow, obvious, and nothing in common with the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any

from chaosday.model.history import NEVER_NS, History

Row = dict[str, Any]


def rows(history: History) -> list[Row]:
    """Operations as dicts, payloads decoded, the end of an unanswered one never."""
    listed = history.table.select(["process", "f", "start_ns", "end_ns", "status"]).to_pylist()
    for name in ("key", "value", "result"):
        for row, value in zip(listed, history.values(name), strict=True):
            row[name] = value
    for row in listed:
        row["end"] = row["end_ns"] if row["status"] == "ok" else NEVER_NS
    return listed


def linearizable(ops: Sequence[Row], initial: Any, step: Callable[[Any, Row], tuple[bool, Any]]) -> bool:
    """Whether some order of the ok operations, and of any of the unknown ones, respects time and ``step``."""
    ops = [op for op in ops if op["status"] != "failed"]
    seen: set[Any] = set()

    def search(done: frozenset[int], state: Any) -> bool:
        if all(n in done or op["status"] == "unknown" for n, op in enumerate(ops)):
            return True
        if (done, repr(state)) in seen:
            return False
        seen.add((done, repr(state)))
        left = [n for n in range(len(ops)) if n not in done]
        earliest = min(ops[n]["end"] for n in left)
        for n in left:
            if ops[n]["start_ns"] <= earliest:  # nobody left over ended before it began
                fits, after = step(state, ops[n])
                if fits and search(done | {n}, after):
                    return True
        return False

    return search(frozenset(), initial)


def register_step(state: Any, op: Row) -> tuple[bool, Any]:
    """Read, write and compare-and-set; a read of nil fits anything."""
    if op["f"] == "read":
        return op["status"] == "unknown" or op["result"] is None or op["result"] == state, state
    if op["f"] == "cas":
        return op["value"][0] == state, op["value"][1]
    return True, op["value"]


def mutex_step(state: Any, op: Row) -> tuple[bool, Any]:
    """A lock that is free or held."""
    return (not state, True) if op["f"] == "acquire" else (bool(state), False)


def text_step(state: Any, op: Row) -> tuple[bool, Any]:
    """Put, append and get of one text."""
    if op["f"] == "get":
        return op["status"] == "unknown" or op["result"] == state, state
    return True, op["value"] if op["f"] == "put" else state + op["value"]


def fifo_step(state: Any, op: Row) -> tuple[bool, Any]:
    """A queue as a tuple; an unanswered dequeue takes whatever is first, if anything is."""
    if op["f"] == "enqueue":
        return True, (*state, op["value"])
    if op["status"] == "unknown":
        return True, state[1:]
    if op["result"] is None:
        return not state, state
    return bool(state) and state[0] == op["result"], state[1:]


def conserving(ops: Sequence[Row]) -> bool:
    """Going through the events in order, nothing is dequeued that has not been enqueued and not yet dequeued."""
    events = [(op["start_ns"], 0, op["value"]) for op in ops if op["f"] == "enqueue"]
    events += [(op["end_ns"], 1, op["result"]) for op in ops if op["f"] == "dequeue" and op["status"] == "ok"]
    there: list[Any] = []
    for _, taken, value in sorted(events, key=lambda event: event[:2]):
        if not taken:
            there.append(value)
        elif value in there:
            there.remove(value)
        else:
            return False
    return True


def counter_errors(ops: Sequence[Row]) -> list[tuple[int, int, int]]:
    """For each ok read outside of its bounds: lower bound, value, upper bound, summed one by one."""
    errors = []
    for read in ops:
        if read["f"] != "read" or read["status"] != "ok":
            continue
        adds = [op for op in ops if op["f"] == "add"]
        lower = sum(op["value"] for op in adds if op["status"] == "ok" and op["end_ns"] < read["start_ns"])
        upper = sum(op["value"] for op in adds if op["status"] != "failed" and op["start_ns"] <= read["end_ns"])
        if not lower <= read["result"] <= upper:
            errors.append((lower, read["result"], upper))
    return errors


def element_outcome(ops: Sequence[Row], element: Any) -> str:
    """``stable``, ``lost`` or ``never-read``, from one element's own timeline."""
    add = next(op for op in ops if op["f"] == "add" and op["value"] == element)
    reads = [op for op in ops if op["f"] == "read" and op["status"] == "ok" and op["end_ns"] > add["start_ns"]]
    present = [op["start_ns"] for op in reads if element in op["result"]]
    absent = [op["start_ns"] for op in reads if element not in op["result"]]
    known = [op["end_ns"] for op in reads if element in op["result"]]
    known += [add["end_ns"]] if add["status"] == "ok" else []
    if present and max(absent, default=-1) < max(present):
        return "stable"
    if known and absent and max(present, default=-1) < max(absent) and min(known) < max(absent):
        return "lost"
    return "never-read"


Txn = tuple[int, int, int, list[list[Any]]]  # process, start, end, micro-operations


def serial_orders(txns: Sequence[Txn], order: str) -> Iterator[tuple[Txn, ...]]:
    """Every order of the transactions that keeps time (``realtime``), sessions (``session``) or nothing."""
    needed = [
        (a, b)
        for a in range(len(txns))
        for b in range(len(txns))
        if (order == "realtime" and txns[a][2] < txns[b][1])
        or (order == "session" and txns[a][0] == txns[b][0] and a < b)
    ]
    for chosen in permutations(range(len(txns))):
        if all(chosen.index(a) < chosen.index(b) for a, b in needed):
            yield tuple(txns[n] for n in chosen)


def serializable(txns: Sequence[Txn], order: str) -> bool:
    """Whether some serial order gives every read exactly what it read."""
    return any(_replays([mops for _, _, _, mops in chosen]) for chosen in serial_orders(txns, order))


def _replays(serial: Sequence[list[list[Any]]]) -> bool:
    state: dict[Any, Any] = {}
    for mops in serial:
        for f, key, value in mops:
            if f == "append":
                state[key] = [*state.get(key, []), value]
            elif f == "w":
                state[key] = value
            elif (state.get(key) or None) != (value or None):
                return False
    return True


def snapshot_isolated(txns: Sequence[Txn]) -> bool:
    """Whether starts and commits can be ordered so that reads see their snapshot and no two writers overlap.

    Sessions are kept: a transaction starts after its predecessor committed.
    """
    count = len(txns)
    before = [max((a for a in range(b) if txns[a][0] == txns[b][0]), default=-1) for b in range(count)]

    def search(log: list[tuple[int, dict[Any, Any]]], open_now: dict[int, tuple[int, dict[Any, Any]]]) -> bool:
        finished = {t for t, _ in log}
        if len(finished) == count:
            return True
        for t in range(count):
            if t in finished:
                continue
            if t in open_now:
                since, writes = open_now[t]
                if any(set(other) & set(writes) for _, other in log[since:]):
                    continue
                rest = {one: state for one, state in open_now.items() if one != t}
                if search([*log, (t, writes)], rest):
                    return True
            elif before[t] < 0 or before[t] in finished:
                writes = _in_snapshot(txns[t][3], log)
                if writes is not None and search(log, {**open_now, t: (len(log), writes)}):
                    return True
        return False

    return search([], {})


def _in_snapshot(mops: list[list[Any]], log: list[tuple[int, dict[Any, Any]]]) -> dict[Any, Any] | None:
    state: dict[Any, Any] = {}
    for _, writes in log:
        state |= writes
    own: dict[Any, Any] = {}
    for f, key, value in mops:
        if f == "append":
            own[key] = [*own.get(key, state.get(key, [])), value]
        elif f == "w":
            own[key] = value
        elif (own.get(key, state.get(key)) or None) != (value or None):
            return None
    return own


def weakly_isolated(txns: Sequence[Txn], level: str) -> bool:
    """Biswas and Enea's axioms, word for word: whether some commit order satisfies the level's.

    Values are unique; nil is read from an initial transaction before all.
    """
    writes = {(key, value): t for t, txn in enumerate(txns) for f, key, value in txn[3] if f == "w"}
    reads = [_sources(t, txn[3], writes) for t, txn in enumerate(txns)]
    if any(source is None for sources in reads for _, source in sources):
        return False
    session = {(a, b) for a in range(len(txns)) for b in range(a + 1, len(txns)) if txns[a][0] == txns[b][0]}
    follows = session | {(s, t) for t, sources in enumerate(reads) for _, s in sources if s >= 0}
    keys = [{key for f, key, _ in txn[3] if f == "w"} for txn in txns]
    needed = {
        (t2, t1)
        for t3, sources in enumerate(reads)
        for at, (key, t1) in enumerate(sources)
        for t2 in _visible(t3, at, sources, follows, session, level)
        if t2 not in (t1, t3) and t2 >= 0 and key in keys[t2]
    }
    if any(t1 < 0 for _, t1 in needed):
        return False
    return any(
        all(order.index(a) < order.index(b) for a, b in follows | needed) for order in permutations(range(len(txns)))
    )


def _sources(t: int, mops: list[list[Any]], writes: dict[Any, int]) -> list[tuple[Any, int | None]]:
    own: dict[Any, Any] = {}
    found: list[tuple[Any, int | None]] = []
    for f, key, value in mops:
        if f == "w":
            own[key] = value
        elif key in own:
            if own[key] != value:
                found.append((key, None))
        elif value is None:
            found.append((key, -1))
        else:
            source = writes.get((key, value))
            found.append((key, None if source == t else source))
    return found


def _visible(t3: int, at: int, sources: Any, follows: Any, session: Any, level: str) -> set[int]:
    if level == "read-committed":
        return {source for _, source in sources[:at]}
    if level == "read-atomic":
        return {a for a, b in follows if b == t3}
    seen = {a for a, b in follows if b == t3}
    while more := {a for a, b in follows if b in seen} - seen:
        seen |= more
    return seen
