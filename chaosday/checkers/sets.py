"""Sets: everything acknowledged has to be read again. Jepsen's ``set`` and ``set-full``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.base import ResultMap, result_map
from chaosday.errors import MalformedHistory
from chaosday.model.history import OK, History, Token, in_order, to_json, token_of, value_of

_POINTS = (0, 0.5, 0.95, 0.99, 1)


def check_set(history: History) -> ResultMap:
    """Adds, then a last read: ``lost`` was acknowledged and is not in it, ``unexpected`` nobody added.

    ``recovered`` was added without an answer, or refused, and is there all the same.
    """
    is_ok = history.statuses() == OK
    added, reads = history.is_f("add"), history.is_f("read") & is_ok
    values = history.tokens("value")
    attempts = {values[row] for row in np.flatnonzero(added)}
    adds = {values[row] for row in np.flatnonzero(added & is_ok)}
    read_rows = np.flatnonzero(reads)
    examined = int(added.sum() + reads.sum())
    if not len(read_rows):
        unsure = ["Set was never read"] if examined else []
        return result_map({}, examined=examined, unsure=unsure, **{"attempt-count": len(attempts)})
    last = read_rows[np.argmax(history.ends_ns()[read_rows])]
    found = elements_read(history.values("result"), int(last))
    if found is None:
        unsure = ["the last read answered nil, which says nothing of what is in the set"]
        return result_map({}, examined=examined, unsure=unsure, **{"attempt-count": len(attempts)})
    final = set(found)
    ok, unexpected = final & attempts, final - attempts
    lost, recovered = adds - final, (final & attempts) - adds
    sizes = {
        "attempt-count": attempts,
        "acknowledged-count": adds,
        "ok-count": ok,
        "lost-count": lost,
        "recovered-count": recovered,
        "unexpected-count": unexpected,
    }
    counted: dict[str, Any] = {name: len(found) for name, found in sizes.items()}
    named = {"ok": ok, "lost": lost, "unexpected": unexpected, "recovered": recovered}
    counted |= {name: intervals(each) for name, each in named.items()}
    return result_map(
        {"lost": _shown(lost), "unexpected": _shown(unexpected)},
        examined=examined,
        **counted,
    )


def check_set_full(history: History, *, linearizable: bool = False) -> ResultMap:
    """Every element's life: ``stable`` is seen by every read after some time, ``lost`` by none.

    A read concurrent with an add that sees the element proves it; one that does not see it proves
    nothing. ``stale`` elements became stable only after a read had missed them; with
    ``linearizable`` that is an anomaly too. Latencies are in milliseconds. ``unexpected`` nobody added: Jepsen's passes
    over it, though its own ``set`` does not.
    """
    tokens, lives, reads, duplicated, unexpected, nils = _lives(history)
    elements = list(map(value_of, tokens))
    stable, lost = lives.stable, lives.lost
    latency = lives.latency_ms()
    stale = stable & (latency > 0)
    anomalies: dict[str, Sequence[Any]] = {
        "lost": [elements[n] for n in np.flatnonzero(lost)],
        "duplicated": _shown(duplicated),
        "unexpected": list(map(value_of, in_order(unexpected))),
        "stale": [elements[n] for n in np.flatnonzero(stale)] if linearizable else [],
    }
    examined = len(elements) + reads
    unsure = [] if stable.any() or not examined else ["no element was ever seen by every later read"]
    if nils:
        unsure.append(f"{nils} reads answered nil, which says nothing of what is in the set")
    named = {
        "stable-count": int(stable.sum()),
        "lost-count": int(lost.sum()),
        "lost": anomalies["lost"],
        "never-read-count": int((~stable & ~lost).sum()),
        "never-read": [elements[n] for n in np.flatnonzero(~stable & ~lost)],
        "stale-count": int(stale.sum()),
        "stale": [elements[n] for n in np.flatnonzero(stale)],
        "worst-stale": [
            {"element": elements[n], "outcome": "stable", "stable-latency": int(latency[n])}
            for n in sorted(np.flatnonzero(stale), key=lambda n: -latency[n])[:8]
        ],
        "duplicated-count": len(duplicated),
        "duplicated": {str(value_of(element)): times for element, times in duplicated.items()},
        "unexpected-count": len(unexpected),
        "attempt-count": len(elements),
    }
    for name, mask in (("stable-latencies", stable), ("lost-latencies", lost)):
        if mask.any():
            named[name] = quantiles(latency[mask])
    return result_map(anomalies, examined=examined, unsure=unsure, **named)


def quantiles(latencies: NDArray[np.int64]) -> dict[str, int]:
    """The values at 0, 0.5, 0.95, 0.99 and 1 of the way through, as Jepsen takes them."""
    ordered = np.sort(latencies)
    return {str(point): int(ordered[min(len(ordered) - 1, int(len(ordered) * point))]) for point in _POINTS}


def intervals(found: Iterable[Token | None]) -> str:
    """``#{1..3 7}``: runs of whole numbers as intervals."""
    numbers = [item for item in found if isinstance(item, int)]
    words = [str(value_of(item)) for item in found if not isinstance(item, int)]
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return "#{" + " ".join([*(f"{a}..{b}" if b > a else str(a) for a, b in runs), *sorted(words)]) + "}"


class _Lives:
    """What is known of each element; -1 for never. All times are nanoseconds."""

    def __init__(self, added_at: NDArray[np.int64], acknowledged_at: NDArray[np.int64]) -> None:
        self.added_at = added_at
        self.known_at = acknowledged_at
        self.last_present = np.full(len(added_at), -1, dtype=np.int64)
        self.last_absent = np.full(len(added_at), -1, dtype=np.int64)

    def read(self, present: NDArray[np.bool_], start_ns: int, end_ns: int) -> None:
        """Take in one read; only elements whose add had begun before it ended can be missed by it."""
        begun = self.added_at < end_ns
        seen, missed = present & begun, ~present & begun
        unknown = seen & ((self.known_at == -1) | (self.known_at > end_ns))
        self.known_at[unknown] = end_ns
        np.maximum(self.last_present, start_ns, out=self.last_present, where=seen)
        np.maximum(self.last_absent, start_ns, out=self.last_absent, where=missed)

    @property
    def stable(self) -> NDArray[np.bool_]:
        return (self.last_present >= 0) & (self.last_absent < self.last_present)

    @property
    def lost(self) -> NDArray[np.bool_]:
        missed_last = (self.last_absent >= 0) & (self.last_present < self.last_absent)
        return missed_last & (self.known_at >= 0) & (self.known_at < self.last_absent)

    def latency_ms(self) -> NDArray[np.int64]:
        """From being known to the last time it was missed (stable) or seen (lost)."""
        settled = np.where(self.stable, self.last_absent, self.last_present)
        after = np.where(settled >= 0, settled + 1, 0) - self.known_at
        return np.maximum(after, 0) // 1_000_000


def _lives(history: History) -> tuple[list[Token | None], _Lives, int, dict[Token | None, int], set[Token | None], int]:
    """The elements added, their lives, how many reads there were, what was read twice, what nobody added, and nils."""
    status, start, end = history.statuses(), history.integers("start_ns"), history.integers("end_ns", null=-1)
    values = history.tokens("value")
    begun: dict[Token | None, tuple[int, int]] = {}
    add_rows = np.flatnonzero(history.is_f("add"))
    for row in add_rows[np.argsort(start[add_rows], kind="stable")]:
        begun[values[row]] = (int(start[row]), int(end[row]) if status[row] == OK else -1)
    elements = in_order(begun)
    position = {element: n for n, element in enumerate(elements)}
    pairs = np.array([begun[element] for element in elements], dtype=np.int64).reshape(-1, 2)
    lives = _Lives(pairs[:, 0].copy(), pairs[:, 1].copy())
    reads = np.flatnonzero(history.is_f("read") & (status == OK))
    results = history.values("result")
    duplicated: dict[Token | None, int] = {}
    unexpected: set[Token | None] = set()
    nils = 0
    for row in reads[np.argsort(end[reads], kind="stable")]:
        read = elements_read(results, int(row))
        if read is None:
            nils += 1
            continue
        here = np.array([position.get(item, -1) for item in read], dtype=np.int64)
        counts = np.bincount(here[here >= 0], minlength=len(elements))
        unexpected |= {item for item, n in zip(read, here, strict=True) if n < 0}
        for n in np.flatnonzero(counts > 1):
            duplicated[elements[n]] = max(duplicated.get(elements[n], 0), int(counts[n]))
        lives.read(counts > 0, int(start[row]), int(end[row]))
    return elements, lives, len(reads), duplicated, unexpected, nils


def elements_read(results: Sequence[Any], row: int) -> list[Token | None] | None:
    """What a read of a set saw, as tokens; None for a read of nil, which Jepsen takes for none.

    :raises MalformedHistory: where it is neither a list nor nil
    """
    said = results[row]
    if said is None:
        return None
    if not isinstance(said, list):
        raise MalformedHistory(f"operation {row}: a read of a set is a list of elements, not {to_json(said)[:80]}")
    return list(map(token_of, said))


def _shown(found: Iterable[Token | None]) -> list[Any]:
    return list(map(value_of, in_order(found)))
