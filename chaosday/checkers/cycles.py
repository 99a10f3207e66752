"""Cycles in a component of a dependency graph: which anomalies there are, and one short cycle of each.

A pair of transactions can depend on each other in several ways; a cycle is named after the
strongest of each pair: ww only is G0, with wr G1c, with exactly one rw G-single, with several of
which no two follow each other G-nonadjacent, otherwise G2, ``-item`` because no predicates are
involved, and ``-process`` or ``-realtime`` if it needs such an edge (Adya 1999; Alvaro, Kingsbury,
"Elle", VLDB 2020).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chaosday.checkers.consistency import canonical, depth, forbidden_by, friendly, implied_by, impossible, stronger
from chaosday.checkers.graph import KIND_NAMES, PROCESS, REALTIME, RW, WR, WW, strong_labels

STEPS = 300_000
_BIT = tuple(1 << kind for kind in range(5))


@dataclass(frozen=True)
class Component:
    """Transactions (by number, sorted) and what leads from one to another, as bits of kinds.

    ``strongest`` lists kinds, strongest first: what a pair's relation is called where there are several.
    """

    members: tuple[int, ...]
    out: dict[int, dict[int, int]]
    strongest: tuple[int, ...] = (WW, WR, RW, PROCESS, REALTIME)

    def kind(self, source: int, target: int) -> int:
        """The strongest relation of a pair."""
        bits = self.out[source][target]
        return next(kind for kind in self.strongest if bits & _BIT[kind])


@dataclass(frozen=True)
class Cycle:
    """Transactions in a circle (the first again at the end) and the kind of each step."""

    type: str
    nodes: tuple[int, ...]
    kinds: tuple[int, ...]


@dataclass(frozen=True)
class Exists:
    """Proof that some cycle rules ``model`` out, where no single cycle shows it."""

    type: str
    model: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """What one component holds, for how many steps; ``complete`` is False if the budget ended first."""

    cycles: tuple[Cycle, ...]
    exists: tuple[Exists, ...]
    complete: bool
    steps: int


@dataclass(frozen=True)
class _Spec:
    name: str
    kinds: frozenset[int]
    rw: str  # none, single, nonadjacent, many
    needs: tuple[int, ...]


def search(component: Component, steps: int = STEPS) -> Found:
    """Find a short cycle of every type that is not already implied by a worse one that was found."""
    exists = tuple(_exists(component))
    known = _cannot_be(exists)
    cycles: list[Cycle] = []
    budget = _Budget(steps)
    for spec in _specs():
        if spec.name in known:
            continue
        nodes = _shortest(component, spec, budget)
        if budget.ended:
            break
        if nodes is not None:
            cycle = classify(component, nodes)
            cycles.append(cycle)
            known = known | implied_by([cycle.type, spec.name])
    shown = impossible([cycle.type for cycle in cycles])
    left = tuple(case for case in exists if canonical(case.model) not in shown)
    kept = tuple({cycle.type: cycle for cycle in reversed(cycles)}.values())[::-1]
    return Found(kept, left, not budget.ended, steps - budget.left)


def classify(component: Component, nodes: Sequence[int]) -> Cycle:
    """Name a cycle by the strongest relation of each step."""
    kinds = tuple(component.kind(a, b) for a, b in itertools.pairwise(nodes))
    count = kinds.count(RW)
    adjacent = any(a == b == RW for a, b in zip(kinds, (*kinds[1:], kinds[0]), strict=True))
    if count == 1:
        name = "G-single-item"
    elif count:
        name = "G2-item" if adjacent else "G-nonadjacent-item"
    else:
        name = "G1c" if WR in kinds else "G0"
    suffix = "-realtime" if REALTIME in kinds else "-process" if PROCESS in kinds else ""
    return Cycle(name + suffix, tuple(nodes), kinds)


class _Budget:
    def __init__(self, steps: int) -> None:
        self.left = steps

    @property
    def ended(self) -> bool:
        return self.left <= 0


def _specs() -> list[_Spec]:
    specs = []
    for suffix, extra in (("", ()), ("-process", (PROCESS,)), ("-realtime", (REALTIME,))):
        write, read = frozenset((WW, *extra)), frozenset((WW, WR, *extra))
        specs += [
            _Spec("G0" + suffix, write, "none", extra),
            _Spec("G1c" + suffix, read, "none", (WR, *extra)),
            _Spec("G-single-item" + suffix, read | {RW}, "single", extra),
            _Spec("G-nonadjacent-item" + suffix, read | {RW}, "nonadjacent", extra),
            _Spec("G2-item" + suffix, read | {RW}, "many", extra),
        ]
    depths = depth()
    return sorted(specs, key=lambda spec: (depths[spec.name], spec.name))


def _shortest(component: Component, spec: _Spec, budget: _Budget) -> list[int] | None:
    """A shortest simple cycle that fits ``spec``, from the first transaction that is on one."""
    steps = {
        a: [(b, kind) for b in sorted(after) if (kind := component.kind(a, b)) in spec.kinds]
        for a, after in component.out.items()
    }
    for start in component.members:
        walk = _walk(steps, start, spec, budget)
        if budget.ended:
            return None
        simple = walk and _simple(component, walk, spec)
        if simple:
            return simple
    return None


def _walk(steps: dict[int, list[tuple[int, int]]], start: int, spec: _Spec, budget: _Budget) -> list[int] | None:
    """Breadth first over (transaction, how often rw, was the last rw, which needed kinds were met)."""
    goal = (1 << len(spec.needs)) - 1
    wanted = {"none": 0, "single": 1, "nonadjacent": 2, "many": 2}[spec.rw]
    begin = (start, 0, spec.rw == "nonadjacent", 0)
    came: dict[tuple[int, int, bool, int], tuple[int, int, bool, int] | None] = {begin: None}
    queue = deque([begin])
    while queue:
        here = queue.popleft()
        node, count, last, met = here
        for target, kind in steps.get(node, ()):
            budget.left -= 1
            is_rw = kind == RW
            if is_rw and ((last and spec.rw == "nonadjacent") or (count and spec.rw == "single")):
                continue
            met_after = met | sum(1 << n for n, need in enumerate(spec.needs) if need == kind)
            state = (target, min(count + is_rw, 2), is_rw and spec.rw == "nonadjacent", met_after)
            if target == start and state[1] == wanted and met_after == goal:
                return [*_back(came, here), start]
            if state not in came and not (target == start and here == begin):
                came[state] = here
                queue.append(state)
        if budget.ended:
            return None
    return None


def _back(came: dict[Any, Any], state: Any) -> list[int]:
    path = []
    while state is not None:
        path.append(state[0])
        state = came[state]
    return path[::-1]


def _simple(component: Component, walk: list[int], spec: _Spec) -> list[int] | None:
    """The walk if it passes no transaction twice, or a loop of it that is a cycle of the same type."""
    inner = walk[:-1]
    if len(set(inner)) == len(inner):
        return walk if classify(component, walk).type == spec.name else None
    for at, node in enumerate(inner):
        for again in range(at + 1, len(inner)):
            if inner[again] == node:
                loop = [*inner[at:again], node]
                if len(set(loop)) == len(loop) - 1 and classify(component, loop).type == spec.name:
                    return loop
    return None


def _rank(model: str, *parts: int, extends: bool = False) -> tuple[str, tuple[int, ...], bool]:
    return model, parts, extends


_EXISTS = (
    _rank("PL-1", WW),
    _rank("PL-2", WW, WR),
    _rank("PL-SI", WW, WR, extends=True),
    _rank("PL-3", WW, WR, RW),
    _rank("strong-session-PL-1", WW, PROCESS),
    _rank("strong-session-PL-2", WW, WR, PROCESS),
    _rank("strong-session-snapshot-isolation", WW, WR, PROCESS, extends=True),
    _rank("strong-session-serializable", WW, WR, RW, PROCESS),
    _rank("strong-PL-1", WW, REALTIME),
    _rank("strong-PL-2", WW, WR, REALTIME),
    _rank("strong-snapshot-isolation", WW, WR, REALTIME, extends=True),
    _rank("PL-SS", WW, WR, RW, REALTIME),
)


def _exists(component: Component) -> Iterator[Exists]:
    """Which models some cycle rules out, by components alone: cheap however large they are."""
    redundant: frozenset[str] = frozenset()
    edges = _arrays(component)
    for model, kinds, extends in _EXISTS:
        if model in redundant:
            continue
        members = _smallest(component, edges, sum(_BIT[kind] for kind in kinds), extends)
        if members:
            redundant |= stronger([model])
            yield Exists(f"{model}-cycle-exists", friendly([model])[0], members)


def _arrays(component: Component) -> tuple[Any, Any, Any]:
    number = {node: n for n, node in enumerate(component.members)}
    rows = [(number[a], number[b], bits) for a, after in component.out.items() for b, bits in after.items()]
    source, target, bits = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return source, target, bits


def _smallest(component: Component, edges: tuple[Any, Any, Any], wanted: int, extends: bool) -> tuple[int, ...]:
    source, target, bits = edges
    size = len(component.members)
    chosen = (bits & wanted) != 0
    a, b = source[chosen], target[chosen]
    if extends:
        a, b = _extended(a, b, source[(bits & _BIT[RW]) != 0], target[(bits & _BIT[RW]) != 0], size)
        loops = np.flatnonzero(a == b)
        if len(loops):
            return (component.members[a[loops[0]]],)
    sizes = np.bincount(labels := strong_labels(size, a, b))
    many = np.flatnonzero(sizes > 1)
    if not len(many):
        return ()
    smallest = many[np.argmin(sizes[many])]
    return tuple(component.members[n] for n in np.flatnonzero(labels == smallest))


def _extended(a: Any, b: Any, rw_a: Any, rw_b: Any, size: int) -> tuple[Any, Any]:
    """The edges a->b, and a->c wherever b-rw->c: what snapshot isolation must not have a cycle of."""
    from scipy.sparse import coo_matrix

    first = coo_matrix((np.ones(len(a)), (a, b)), shape=(size, size)).tocsr()
    second = coo_matrix((np.ones(len(rw_a)), (rw_a, rw_b)), shape=(size, size)).tocsr()
    both = (first + first @ second).tocoo()
    return both.row, both.col


def _cannot_be(exists: Sequence[Exists]) -> frozenset[str]:
    """Types that are not worth a search: they would rule out a model that stands."""
    fallen = stronger([canonical(case.model) for case in exists])
    standing = [model for model, _, _ in _EXISTS if model not in fallen]
    return forbidden_by(standing) if standing else frozenset()


Namer = Callable[[int], str]


def arrow(cycle: Cycle, name: Namer) -> str:
    """``T1 -ww-> T2 -rw-> T1``."""
    steps = [name(cycle.nodes[0])]
    for kind, node in zip(cycle.kinds, cycle.nodes[1:], strict=True):
        steps.append(f"-{KIND_NAMES[kind]}-> {name(node)}")
    return " ".join(steps)
