"""Which consistency models an anomaly rules out: the lattice of models, with Elle's names.

Sources of the order and of what each model forbids: Adya, "Weak Consistency" (1999); Adya, Liskov,
O'Neil, "Generalized Isolation Level Definitions" (2000); Bailis et al., "Highly Available
Transactions" (2014); Cerone, Bernardi, Gotsman (2015); Daudjee, Salem (2004, 2006); and
https://jepsen.io/consistency. Adya's PL names are canonical inside, the friendly ones outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from chaosday.errors import UnknownName

_VARIANTS = ("", "-process", "-realtime")

CANONICAL = {
    "consistent-view": "PL-2+",
    "conflict-serializable": "PL-3",
    "cursor-stability": "PL-CS",
    "forward-consistent-view": "PL-FCV",
    "monotonic-snapshot-read": "PL-MSR",
    "monotonic-view": "PL-2L",
    "read-committed": "PL-2",
    "read-uncommitted": "PL-1",
    "repeatable-read": "PL-2.99",
    "serializable": "PL-3",
    "snapshot-isolation": "PL-SI",
    "strict-serializable": "PL-SS",
    "strong-serializable": "PL-SS",
    "update-serializable": "PL-3U",
    "strong-session-read-uncommitted": "strong-session-PL-1",
    "strong-session-read-committed": "strong-session-PL-2",
    "strong-read-uncommitted": "strong-PL-1",
    "strong-read-committed": "strong-PL-2",
}
_FRIENDLY = {canonical: name for name, canonical in CANONICAL.items()} | {
    "PL-3": "serializable",
    "PL-SS": "strong-serializable",
}

# A history that satisfies the first satisfies the others.
_STRONGER = {
    "causal-cerone": "read-atomic",
    "PL-2+": "PL-CS PL-2L",
    "PL-3": "PL-2.99 PL-3U PL-SI view-serializable",
    "PL-CS": "PL-2",
    "PL-FCV": "PL-2+",
    "PL-2": "PL-1",
    "PL-3U": "PL-FCV",
    "monotonic-atomic-view": "PL-2",
    "PL-2L": "PL-2",
    "PL-MSR": "PL-2",
    "parallel-snapshot-isolation": "causal-cerone update-atomic",
    "prefix": "causal-cerone",
    "read-atomic": "monotonic-atomic-view",
    "PL-2.99": "PL-CS monotonic-atomic-view",
    "update-atomic": "read-atomic",
    "session-serializable": "1SR",
    "PL-SI": "PL-FCV monotonic-atomic-view PL-MSR parallel-snapshot-isolation prefix",
    "PL-SS": "PL-3 linearizable PL-SI strong-snapshot-isolation strong-session-serializable session-serializable",
    "strong-session-PL-1": "PL-1",
    "strong-session-PL-2": "PL-2 strong-session-PL-1",
    "strong-PL-1": "strong-session-PL-1",
    "strong-PL-2": "strong-session-PL-2 strong-PL-1",
    "strong-session-serializable": "PL-3 strong-session-snapshot-isolation",
    "strong-session-snapshot-isolation": "PL-SI strong-session-PL-2",
    "strong-snapshot-isolation": "strong-session-snapshot-isolation strong-PL-2",
    "linearizable": "sequential",
    "sequential": "causal",
    "causal": "writes-follow-reads PRAM",
    "PRAM": "monotonic-reads monotonic-writes read-your-writes",
}

# What each model forbids beyond what the weaker ones already do.
_FORBIDS = {
    "causal-cerone": "internal G1a",
    "PL-CS": "G1 G-cursor lost-update",
    "PL-2L": "G1 G-monotonic",
    "PL-MSR": "G1 G-MSR",
    "PL-2+": "G1 G-single",
    "PL-FCV": "G1 G-SIb",
    "parallel-snapshot-isolation": "internal G1a",
    "PL-3": "G1 G2 predicate-read-miss PL-3-cycle-exists internal",
    "PL-2": "G1 PL-2-cycle-exists",
    # Elle looks for no value that nobody wrote, and calls such a history valid; no model has any from nowhere.
    "PL-1": "G0 duplicate-elements cyclic-versions unwritten-read PL-1-cycle-exists",
    "prefix": "internal G1a",
    "PL-SI": "internal G1 G-SI G-nonadjacent PL-SI-cycle-exists",
    "read-atomic": "internal G1a future-read",
    "PL-2.99": "G1 G2-item PL-2.99-cycle-exists lost-update",
    "update-atomic": "lost-update",
    "PL-SS": "G1 G1c-realtime G2-realtime PL-SS-cycle-exists",
    "strong-session-PL-1": "strong-session-PL-1-cycle-exists G0-process",
    "strong-session-PL-2": "strong-session-PL-2-cycle-exists G1c-process",
    "strong-PL-1": "strong-PL-1-cycle-exists G0-realtime",
    "strong-PL-2": "strong-PL-2-cycle-exists G1c-realtime",
    "strong-session-snapshot-isolation": (
        "internal G1-process G-nonadjacent-process strong-session-snapshot-isolation-cycle-exists"
    ),
    "strong-snapshot-isolation": "internal G1-realtime G-nonadjacent-realtime strong-snapshot-isolation-cycle-exists",
    "strong-session-serializable": "G1-process G2-process strong-session-serializable-cycle-exists",
    "PL-3U": "G1 G-update",
}

Edges = Mapping[str, frozenset[str]]


def canonical(model: str) -> str:
    """The one name of a model; ``UnknownName`` if there is no such model."""
    name = CANONICAL.get(model, model)
    if name not in _models():
        raise UnknownName(f"no consistency model {model!r}; there are {', '.join(sorted(CANONICAL))}")
    return name


def known_anomaly(name: str) -> str:
    """``name``, if it is that of an anomaly; ``UnknownName`` otherwise."""
    known = _implied().keys() | {one for forbids in _forbids().values() for one in forbids}
    if name not in known:
        raise UnknownName(f"no anomaly {name!r}; there are {', '.join(sorted(known))}")
    return name


def forbidden_by(models: Iterable[str]) -> frozenset[str]:
    """Every anomaly that must not be there if all of ``models`` hold."""
    implied = _reach(_models(), map(canonical, models))
    direct = [anomaly for model in implied for anomaly in _forbids().get(model, ())]
    return implying(direct)


def implying(anomalies: Iterable[str]) -> frozenset[str]:
    """``anomalies`` and every anomaly that is a case of one of them."""
    return _reach(_flipped(_implied()), anomalies)


def implied_by(anomalies: Iterable[str]) -> frozenset[str]:
    """``anomalies`` and every anomaly that they are a case of."""
    return _reach(_implied(), anomalies)


def impossible(anomalies: Iterable[str]) -> frozenset[str]:
    """Every model (canonical) that cannot hold where ``anomalies`` are found."""
    found = implied_by(anomalies)
    direct = [model for model, forbids in _forbids().items() if forbids & found]
    return stronger(direct)


def stronger(models: Iterable[str]) -> frozenset[str]:
    """``models`` (canonical) and all that imply one of them."""
    return _reach(_flipped(_models()), models)


def boundary(anomalies: Iterable[str]) -> tuple[list[str], list[str]]:
    """The weakest models ruled out, and the stronger ones; friendly names, sorted."""
    ruled_out = impossible(anomalies)
    weakest = {model for model in ruled_out if not (_reach(_models(), _models()[model]) & ruled_out)}
    return friendly(weakest), friendly(ruled_out - weakest)


def friendly(models: Iterable[str]) -> list[str]:
    """Names for people, sorted."""
    return sorted({_FRIENDLY.get(model, model) for model in models})


@cache
def depth() -> Mapping[str, int]:
    """How deep an anomaly lies: the worst are 0, and one implied by, or milder than, another is deeper."""
    graph: dict[str, set[str]] = {name: set(after) for name, after in _implied().items()}
    for name, after in _severity().items():
        graph.setdefault(name, set()).update(after)
        for one in after:
            graph.setdefault(one, set())
    before: dict[str, set[str]] = {name: set() for name in graph}
    for name, after_all in graph.items():
        for one in after_all:
            before[one].add(name)
    depths: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in depths:
            depths[name] = max((of(one) + 1 for one in before[name]), default=0)
        return depths[name]

    return {name: of(name) for name in graph}


@cache
def _models() -> Edges:
    return _parsed(_STRONGER)


@cache
def _forbids() -> Edges:
    return {model: frozenset(words.split()) for model, words in _FORBIDS.items()}


@cache
def _implied() -> Edges:
    """An anomaly and what it is a case of."""
    edges: dict[str, set[str]] = {}

    def add(name: str, *after: str) -> None:
        edges.setdefault(name, set()).update(after)

    for here, wider in ((v, _VARIANTS[n + 1] if n < 2 else None) for n, v in enumerate(_VARIANTS)):
        add("G0" + here, "G1c" + here)
        add("G1c" + here, "G1" + here)
        add("G-single-item" + here, "G-single" + here, "G-nonadjacent-item" + here)
        add("G-single" + here, "G-nonadjacent" + here)
        add("G-nonadjacent-item" + here, "G-nonadjacent" + here, "G2-item" + here)
        add("G-nonadjacent" + here, "G2" + here)
        add("G2-item" + here, "G2" + here)
        if wider is not None:
            # Without times it is one with times too: processes do one thing after the other.
            for name in ("G0", "G1c", "G1", "G-single-item", "G-single", "G-nonadjacent-item", "G-nonadjacent"):
                add(name + here, name + wider)
            add("G2" + here, "G2" + wider)
            add("G2-item" + here, "G2-item" + wider)
    add("G-single", "GSIb")
    add("GSIb", "GSI")
    add("GSIa", "GSI")
    for name in ("G1a", "G1b"):
        add(name, "G1")
    # Two orders of one list cannot both be committed, and an update of what was aborted is dirty.
    add("incompatible-order", "G1a")
    add("dirty-update", "G1a")
    add("future-read", "G1c")
    add("lost-update", "write-skew", "G2-item")
    add("write-skew", "G2")
    return _closed({name: frozenset(after) for name, after in edges.items()})


def _severity() -> dict[str, tuple[str, ...]]:
    """Worse, though it does not imply the other."""
    milder: dict[str, tuple[str, ...]] = {}
    for here in _VARIANTS:
        milder["G0" + here] = ("G1c" + here,)
        milder["G1c" + here] = ("G-single" + here, "G2-item" + here)
    milder["G2"] = ("G0-process",)
    milder["G2-process"] = ("G0-realtime",)
    return milder


def _parsed(words: Mapping[str, str]) -> Edges:
    return _closed({name: frozenset(after.split()) for name, after in words.items()})


def _closed(edges: Mapping[str, frozenset[str]]) -> Edges:
    leaves = {one: frozenset[str]() for after in edges.values() for one in after if one not in edges}
    return {**edges, **leaves}


def _flipped(edges: Edges) -> Edges:
    before: dict[str, set[str]] = {name: set() for name in edges}
    for name, after in edges.items():
        for one in after:
            before[one].add(name)
    return {name: frozenset(ones) for name, ones in before.items()}


def _reach(edges: Edges, start: Iterable[str]) -> frozenset[str]:
    seen: set[str] = set()
    stack = list(start)
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack.extend(edges.get(name, ()))
    return frozenset(seen)
