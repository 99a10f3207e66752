"""Is there an order of writes that makes a history serializable, or snapshot isolated?

Of every two writers of a key one came first; which, is open, unless a transaction read the one and
wrote the key itself, or unless one of the two answers would close a circle. That is repeated until
nothing follows any more (Tan et al., "Cobra", OSDI 2020; Huang et al., "PolySI", VLDB 2023); what is
then still open is tried, in an order that fits what is known, within a budget. For snapshot
isolation a circle is one of (session, wr, ww) steps with at most one rw step after each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chaosday.checkers.graph import find_cycle, topological
from chaosday.checkers.sessions import Sessions

_TRIALS = 400
_TRANSACTIONS = 12_000
_OPEN_PAIRS = 400_000

Pair = tuple[Any, int, int]


@dataclass
class _State:
    """Decided pairs as (key, first, second), and the undecided ones."""

    order: set[Pair]
    open: set[Pair]


def decide(read: Sessions, *, snapshot: bool) -> tuple[list[int] | None, str]:
    """A circle that cannot be avoided, or the reason why it is not known whether there is one."""
    if len(read.names) > _TRANSACTIONS:
        return None, f"more than {_TRANSACTIONS} transactions: the order of writes is not searched"
    graph = _Graph(read, snapshot)
    state = graph.begin()
    if len(state.open) > _OPEN_PAIRS:
        return None, f"more than {_OPEN_PAIRS} pairs of writes: their order is not searched"
    cycle = graph.saturate(state)
    if cycle is not None:
        return cycle, ""
    budget = [_TRIALS]
    fits = graph.search(state, budget)
    if fits is None:
        return None, f"no order of writes was found or ruled out in {_TRIALS} trials"
    return (None if fits else graph.some_circle()), ""


class _Graph:
    """The known part, and what each answer adds to it."""

    def __init__(self, read: Sessions, snapshot: bool) -> None:
        self.read = read
        self.snapshot = snapshot
        self.count = len(read.names)
        self.known = {*read.session_edges(), *read.reads_from()}
        self.readers: dict[tuple[Any, int], list[int]] = {}
        for reader, reads in enumerate(read.reads):
            for key, writer in dict.fromkeys(reads):
                self.readers.setdefault((key, writer), []).append(reader)

    def begin(self) -> _State:
        """All pairs of writers of a key; the initial state first, and a writer after whom it read."""
        origin = self.count - 1
        writers: dict[Any, list[int]] = {}
        for t in range(origin):
            for key in self.read.writes[t]:
                writers.setdefault(key, []).append(t)
        state = _State(set(), set())
        for key, members in writers.items():
            state.order |= {(key, origin, t) for t in members}
            total = len(members) * (len(members) - 1) // 2
            if total + len(state.open) > _OPEN_PAIRS:
                state.open |= {(key, -1, n) for n in range(_OPEN_PAIRS + 1)}
                return state
            state.open |= {(key, a, b) for n, a in enumerate(members) for b in members[n + 1 :]}
        for t, reads in enumerate(self.read.reads):
            for key, writer in reads:
                if key in self.read.writes[t] and writer != origin:
                    self._decided(state, key, writer, t)
        return state

    def saturate(self, state: _State) -> list[int] | None:
        """Draw every conclusion that there is; a circle if there is one whatever the answers."""
        while True:
            reach, order = self._reach(state)
            if reach is None:
                return order
            before, _, _ = self._parts(state)
            changed = False
            for key, a, b in sorted(state.open, key=repr):
                forward, backward = self._fits(reach, before, key, a, b), self._fits(reach, before, key, b, a)
                if forward and backward:
                    continue
                # Where neither fits, either makes the circle that the next round finds.
                self._decided(state, key, *((a, b) if forward else (b, a)))
                changed = True
            if not changed:
                return None

    def search(self, state: _State, budget: list[int]) -> bool | None:
        """Whether some answer to what is open has no circle; None if the budget ended first."""
        if not state.open:
            return True
        if budget[0] <= 0:
            return None
        budget[0] -= 1
        _, order = self._reach(state)
        place = {t: n for n, t in enumerate(order)}
        guess = _State(set(state.order), set())
        for key, a, b in state.open:
            guess.order.add((key, a, b) if place[a] < place[b] else (key, b, a))
        if self._reach(guess)[0] is not None:
            return True
        key, a, b = min(state.open, key=lambda pair: (abs(place[pair[1]] - place[pair[2]]), repr(pair)))
        unsure = False
        for first, second in ((a, b), (b, a)) if place[a] < place[b] else ((b, a), (a, b)):
            trial = _State(set(state.order), set(state.open))
            self._decided(trial, key, first, second)
            if self.saturate(trial) is not None:
                continue
            answer = self.search(trial, budget)
            if answer:
                return True
            unsure = unsure or answer is None
        return None if unsure else False

    def some_circle(self) -> list[int]:
        """What to show where every order has a circle, but not the same one: all writers concerned."""
        return [*range(min(self.count - 1, 16)), 0]

    def _decided(self, state: _State, key: Any, first: int, second: int) -> None:
        state.open -= {(key, first, second), (key, second, first)}
        state.order.add((key, first, second))

    def _fits(self, reach: list[int], before: list[list[int]], key: Any, first: int, second: int) -> bool:
        """Whether ``first`` before ``second`` closes no circle with what is known."""
        if reach[second] >> first & 1:
            return False
        for reader in self.readers.get((key, first), ()):
            if reader == second:
                continue
            if not self.snapshot:
                if reach[second] >> reader & 1:
                    return False
            elif any(p == second or reach[second] >> p & 1 for p in before[reader]):
                return False
        return True

    def _parts(self, state: _State) -> tuple[list[list[int]], list[tuple[int, int]], list[tuple[int, int]]]:
        """Who leads to whom by (session, wr, ww), the same as edges, and the rw edges."""
        plain = self.known | {(a, b) for _, a, b in state.order}
        against = {
            (reader, second)
            for key, first, second in state.order
            for reader in self.readers.get((key, first), ())
            if reader != second
        }
        before: list[list[int]] = [[] for _ in range(self.count)]
        for a, b in plain:
            before[b].append(a)
        return before, sorted(plain), sorted(against)

    def _reach(self, state: _State) -> tuple[list[int] | None, list[int]]:
        """What each transaction leads to, as bits, and an order that fits; or None and a circle."""
        before, plain, against = self._parts(state)
        edges = list(plain)
        edges += [(p, b) for a, b in against for p in before[a]] if self.snapshot else against
        edges = list(dict.fromkeys(edges))
        order = topological(self.count, edges)
        if len(order) < self.count:
            return None, find_cycle(self.count, edges) or []
        after: list[list[int]] = [[] for _ in range(self.count)]
        for a, b in edges:
            after[a].append(b)
        reach = [0] * self.count
        for node in reversed(order):
            bits = 0
            for following in after[node]:
                bits |= 1 << following | reach[following]
            reach[node] = bits
        return reach, order
