"""Sets: everything acknowledged has to be read again. Jepsen's ``set`` and ``set-full``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.base import ResultMap, result_map
from chaosday.model.history import OK, History

_POINTS = (0, 0.5, 0.95, 0.99, 1)


def check_set(history: History) -> ResultMap:
    """Adds, then a last read: ``lost`` was acknowledged and is not in it, ``unexpected`` nobody added.

    ``recovered`` was added without an answer, or refused, and is there all the same.
    """
    is_ok = history.statuses() == OK
    added, reads = history.is_f("add"), history.is_f("read") & is_ok
    values = history.values("value")
    attempts = {_hashable(values[row]) for row in np.flatnonzero(added)}
    adds = {_hashable(values[row]) for row in np.flatnonzero(added & is_ok)}
    read_rows = np.flatnonzero(reads)
    examined = int(added.sum() + reads.sum())
    if not len(read_rows):
        unsure = ["Set was never read"] if examined else []
        return result_map({}, examined=examined, unsure=unsure, **{"attempt-count": len(attempts)})
    last = read_rows[np.argmax(history.ends_ns()[read_rows])]
    final = {_hashable(item) for item in history.values("result")[last] or []}
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
    counted |= {name: intervals(found) for name, found in named.items()}
    return result_map(
        {"lost": _sorted(lost), "unexpected": _sorted(unexpected)},
        examined=examined,
        **counted,
    )


def check_set_full(history: History, *, linearizable: bool = False) -> ResultMap:
    """Every element's life: ``stable`` is seen by every read after some time, ``lost`` by none.

    A read concurrent with an add that sees the element proves it; one that does not see it proves
    nothing. ``stale`` elements became stable only after a read had missed them; with
    ``linearizable`` that is an anomaly too. Latencies are in milliseconds.
    """
    elements, lives, reads, duplicated, unexpected = _lives(history)
    stable, lost = lives.stable, lives.lost
    latency = lives.latency_ms()
    stale = stable & (latency > 0)
    anomalies: dict[str, Sequence[Any]] = {
        "lost": [elements[n] for n in np.flatnonzero(lost)],
        "duplicated": sorted(duplicated, key=repr),
        "stale": [elements[n] for n in np.flatnonzero(stale)] if linearizable else [],
    }
    examined = len(elements) + reads
    unsure = [] if stable.any() or not examined else ["no element was ever seen by every later read"]
    named = {
        "stable-count": int(stable.sum()),
        "lost-count": int(lost.sum()),
        "lost": _sorted(anomalies["lost"]),
        "never-read-count": int((~stable & ~lost).sum()),
        "never-read": _sorted([elements[n] for n in np.flatnonzero(~stable & ~lost)]),
        "stale-count": int(stale.sum()),
        "stale": _sorted([elements[n] for n in np.flatnonzero(stale)]),
        "worst-stale": [
            {"element": elements[n], "outcome": "stable", "stable-latency": int(latency[n])}
            for n in sorted(np.flatnonzero(stale), key=lambda n: -latency[n])[:8]
        ],
        "duplicated-count": len(duplicated),
        "duplicated": {str(element): times for element, times in duplicated.items()},
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


def intervals(found: Iterable[Any]) -> str:
    """``#{1..3 7}``: runs of whole numbers as intervals."""
    numbers = [item for item in found if isinstance(item, int)]
    words = [str(item) for item in found if not isinstance(item, int)]
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


def _lives(history: History) -> tuple[list[Any], _Lives, int, dict[Any, int], set[Any]]:
    status, start, end = history.statuses(), history.integers("start_ns"), history.integers("end_ns", null=-1)
    values = history.values("value")
    begun: dict[Any, tuple[int, int]] = {}
    add_rows = np.flatnonzero(history.is_f("add"))
    for row in add_rows[np.argsort(start[add_rows], kind="stable")]:
        begun[_hashable(values[row])] = (int(start[row]), int(end[row]) if status[row] == OK else -1)
    elements = sorted(begun, key=lambda item: (str(type(item)), item))
    position = {element: n for n, element in enumerate(elements)}
    pairs = np.array([begun[element] for element in elements], dtype=np.int64).reshape(-1, 2)
    lives = _Lives(pairs[:, 0].copy(), pairs[:, 1].copy())
    reads = np.flatnonzero(history.is_f("read") & (status == OK))
    results = history.values("result")
    duplicated: dict[Any, int] = {}
    unexpected: set[Any] = set()
    for row in reads[np.argsort(end[reads], kind="stable")]:
        read = [_hashable(item) for item in results[row] or []]
        here = np.array([position.get(item, -1) for item in read], dtype=np.int64)
        counts = np.bincount(here[here >= 0], minlength=len(elements))
        unexpected |= {item for item, n in zip(read, here, strict=True) if n < 0}
        for n in np.flatnonzero(counts > 1):
            duplicated[elements[n]] = max(duplicated.get(elements[n], 0), int(counts[n]))
        lives.read(counts > 0, int(start[row]), int(end[row]))
    return elements, lives, len(reads), duplicated, unexpected


def _hashable(item: Any) -> Any:
    return tuple(map(_hashable, item)) if isinstance(item, list) else item


def _sorted(found: Iterable[Any]) -> list[Any]:
    return sorted(found, key=lambda item: (str(type(item)), item))
