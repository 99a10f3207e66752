"""What checks of transactions share: the graph of a history, its cycles, and the result map in Elle's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers import consistency, cycles
from chaosday.checkers.base import SHOWN, ResultMap
from chaosday.checkers.graph import (
    PROCESS,
    REALTIME,
    RW,
    WR,
    WW,
    Graph,
    components,
    realtime_edges,
    session_edges,
)
from chaosday.checkers.lookup import Ints
from chaosday.model.history import FAILED, OK, History

DEFAULT_MODELS = ("strict-serializable",)
UNKNOWN_TYPES = frozenset({"empty-transaction-graph", "cycle-search-timeout"})
_COMPONENTS_SEARCHED = 400
_STEPS = 3_000_000


@dataclass(frozen=True)
class Expected:
    """What the history is expected to hold: consistency models, and anomalies that must not be there."""

    models: tuple[str, ...] = DEFAULT_MODELS
    anomalies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for model in self.models:
            consistency.canonical(model)

    @property
    def prohibited(self) -> frozenset[str]:
        """Every anomaly type that would be a violation."""
        return consistency.forbidden_by(self.models) | consistency.implying(self.anomalies)

    @property
    def order(self) -> int | None:
        """Which order beyond the data matters: ``REALTIME``, ``PROCESS`` or none."""
        wanted = self.prohibited
        for suffix, kind in (("-realtime", REALTIME), ("-process", PROCESS)):
            if any(name.endswith(suffix) for name in wanted):
                return kind
        return None


EXPECTED = Expected()


@dataclass(frozen=True)
class Timeline:
    """When each transaction ran and how it ended; ``end`` is never for what was not answered."""

    process: Ints
    start: Ints
    end: Ints
    status: NDArray[np.int8]
    index: Ints

    @classmethod
    def of(cls, history: History) -> Timeline:
        """The timeline of a history; one without times has every transaction concurrent with every other."""
        return cls(
            history.integers("process"),
            history.integers("start_ns"),
            history.ends_ns(),
            history.statuses(),
            history.integers("index"),
        )

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Those that ended ok."""
        ok: NDArray[np.bool_] = self.status == OK
        return ok

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Those that can have happened."""
        possible: NDArray[np.bool_] = self.status != FAILED
        return possible


class Explainer(Protocol):
    """Says why one transaction comes before another, and says it in words."""

    def explain(self, a: int, b: int, kind: int) -> dict[str, Any]: ...

    def render(self, step: Mapping[str, Any], a: str, b: str) -> str: ...


@dataclass(frozen=True)
class Cyclic:
    """Anomalies from the graph by type, and how much of it was searched."""

    anomalies: dict[str, list[Any]]
    components: int
    searched: int


def add_order(graph: Graph, timeline: Timeline, order: int | None) -> bool:
    """Add process or real-time edges; whether there are any at all (also with failed transactions)."""
    if order == PROCESS:
        ok = np.flatnonzero(timeline.ok)
        source, target = session_edges(timeline.process[ok], timeline.index[ok])
        graph.add(ok[source], ok[target], PROCESS)
        return bool(len(source))
    if order == REALTIME:
        ends = np.where(timeline.ok, timeline.end, np.iinfo(np.int64).max)
        graph.add(*realtime_edges(graph, timeline.start, ends))
        return bool(len(ends)) and bool((timeline.start > ends.min()).any())
    return False


def find_cycles(graph: Graph, timeline: Timeline, explainer: Explainer, strongest: Sequence[int]) -> Cyclic:
    """Search each component, the smallest first, and explain what is found."""
    own = [members[members < graph.own] for members in components(graph)]
    found = sorted((members for members in own if len(members) > 1), key=len)
    anomalies: dict[str, list[Any]] = {}
    if not found:
        return Cyclic(anomalies, 0, 0)
    parts = _restricted(graph, found[:_COMPONENTS_SEARCHED])
    left, searched = _STEPS, 0
    for members, edges in zip(found, parts, strict=False):
        if left <= 0:
            break
        component = _component(members, edges, timeline, tuple(strongest), _has_time(graph))
        result = cycles.search(component, min(cycles.STEPS, left))
        left, searched = left - result.steps, searched + 1
        for cycle in result.cycles:
            anomalies.setdefault(cycle.type, []).append(_explained(cycle, timeline, explainer))
        for case in result.exists:
            proof = {
                "not": case.model,
                "scc-size": len(case.members),
                "scc": timeline.index[list(case.members)].tolist(),
            }
            anomalies.setdefault(case.type, []).append(proof)
        if not result.complete:
            anomalies.setdefault("cycle-search-timeout", []).append({"scc-size": len(members)})
    if searched < len(found):
        anomalies.setdefault("cycle-search-timeout", []).append({"components-not-searched": len(found) - searched})
    return Cyclic(anomalies, len(found), searched)


def elle_result(
    anomalies: Mapping[str, Sequence[Any]],
    expected: Expected,
    *,
    examined: int,
    unsure: Iterable[str] = (),
    **more: Any,
) -> ResultMap:
    """Elle's result map: what is prohibited is False, what only says that nothing can be said is unknown.

    ``not`` and ``also-not`` follow from everything that was found, also from what is not prohibited.
    """
    found = {name: list(cases) for name, cases in anomalies.items() if cases}
    prohibited = expected.prohibited
    reported = {name: cases for name, cases in found.items() if name in prohibited | UNKNOWN_TYPES}
    shown = consistency.impossible([name for name in reported if not name.endswith("-cycle-exists")])
    for name in [name for name in reported if name.endswith("-cycle-exists")]:
        if name.removesuffix("-cycle-exists") in shown:
            del reported[name]
    reasons = list(unsure)
    if "empty-transaction-graph" in reported:
        reasons.append("no transaction depends on another: there is nothing to judge")
    if "cycle-search-timeout" in reported:
        reasons.append("the search for cycles ended before it was done")
    if not examined and not reasons:
        reasons.append("nothing was examined: the history holds no transactions")
    bad = any(name in prohibited for name in reported)
    weakest, others = consistency.boundary(found) if reported else ([], [])
    result: ResultMap = {
        "valid?": False if bad else "unknown" if reasons or reported else True,
        "anomaly-types": sorted(reported),
        "not": weakest,
        "also-not": others,
        "examined": examined,
        **more,
        "anomalies": {name: cases[:SHOWN] for name, cases in sorted(reported.items())},
        "anomaly-counts": {name: len(cases) for name, cases in sorted(reported.items())},
    }
    if reasons:
        result["reason"] = "; ".join(reasons)
    return result


def story(cycle: Mapping[str, Any], render: Callable[[Mapping[str, Any], str, str], str]) -> str:
    """A cycle as a person would tell it: who they are, and why each comes before the next."""
    names = [f"T{n + 1}" for n in range(len(cycle["operations"]) - 1)]
    lines = [f"{name} = operation {row}" for name, row in zip(names, cycle["operations"], strict=False)]
    circle = [*names, names[0]]
    for n, step in enumerate(cycle["steps"]):
        a, b = circle[n], circle[n + 1]
        opening = "However, " if n == len(cycle["steps"]) - 1 else ""
        lines.append(f"{opening}{a} comes before {b}: {render(step, a, b)}")
    return "\n".join([*lines, "which cannot be."])


def order_step(timeline: Timeline, a: int, b: int, kind: int) -> dict[str, Any]:
    """Why a process or real-time edge is there."""
    if kind == PROCESS:
        return {"type": "process", "process": int(timeline.process[a])}
    return {"type": "realtime", "ended-ns": int(timeline.end[a]), "began-ns": int(timeline.start[b])}


def render_order(step: Mapping[str, Any], a: str, b: str) -> str:
    """A process or real-time step in words."""
    if step["type"] == "process":
        return f"process {step['process']} did {a} before {b}"
    return f"{a} had ended {(step['began-ns'] - step['ended-ns']) / 1e9:.6f} s before {b} began"


def _has_time(graph: Graph) -> bool:
    return graph.nodes > graph.own


def _explained(cycle: cycles.Cycle, timeline: Timeline, explainer: Explainer) -> dict[str, Any]:
    steps = []
    for a, b, kind in zip(cycle.nodes, cycle.nodes[1:], cycle.kinds, strict=False):
        steps.append(order_step(timeline, a, b, kind) if kind in (PROCESS, REALTIME) else explainer.explain(a, b, kind))
    case: dict[str, Any] = {
        "type": cycle.type,
        "operations": timeline.index[list(cycle.nodes)].tolist(),
        "steps": steps,
        "cycle": cycles.arrow(cycle, lambda node: f"T{cycle.nodes.index(node) + 1}"),
    }
    case["story"] = story(
        case,
        lambda step, a, b: (
            render_order(step, a, b) if step["type"] in ("process", "realtime") else explainer.render(step, a, b)
        ),
    )
    return case


def _restricted(graph: Graph, found: Sequence[Ints]) -> list[tuple[Ints, Ints, Ints]]:
    """The data and process edges inside each component."""
    source, target, kind = graph.edges(WW, WR, RW, PROCESS)
    label = np.full(graph.nodes, -1, dtype=np.int32)
    for number, members in enumerate(found):
        label[members] = number
    inside = np.flatnonzero((label[source] >= 0) & (label[source] == label[target]))
    order = inside[np.argsort(label[source[inside]], kind="stable")]
    cuts = np.searchsorted(label[source[order]], np.arange(1, len(found)))
    return [(source[rows], target[rows], kind[rows]) for rows in np.split(order, cuts)]


def _component(
    members: Ints, edges: tuple[Ints, Ints, Ints], timeline: Timeline, strongest: tuple[int, ...], timed: bool
) -> cycles.Component:
    out: dict[int, dict[int, int]] = {int(node): {} for node in members}
    for a, b, kind in zip(*(column.tolist() for column in edges), strict=True):
        out[a][b] = out[a].get(b, 0) | 1 << kind
    if timed:
        for a, b in _realtime_pairs(members, timeline):
            out[a][b] = out[a].get(b, 0) | 1 << REALTIME
    return cycles.Component(tuple(int(node) for node in members), out, strongest)


def _realtime_pairs(members: Ints, timeline: Timeline) -> list[tuple[int, int]]:
    """Who ended before whom began, without those that others between them imply."""
    start, end = timeline.start[members], np.where(timeline.ok[members], timeline.end[members], np.iinfo(np.int64).max)
    by_end = np.argsort(end, kind="stable")
    ends = end[by_end]
    latest_start = np.maximum.accumulate(start[by_end])
    pairs = []
    for b in range(len(members)):
        high = int(np.searchsorted(ends, start[b], side="left"))
        if not high:
            continue
        low = int(np.searchsorted(ends, latest_start[high - 1], side="left"))
        pairs += [(int(members[a]), int(members[b])) for a in by_end[low:high]]
    return pairs
