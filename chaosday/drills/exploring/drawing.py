"""Schedules drawn by a seed: which of the allowed faults, when, and at what dose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from pydantic import ValidationError

from chaosday.drills.exploring.base import Allowed, Base, Facts, Limits
from chaosday.errors import UnknownName, UsageError
from chaosday.model.fault import Fault
from chaosday.model.target import Target
from chaosday.registry import members

Schedule = list[dict[str, Any]]
"""As ``faults`` stands in an experiment."""
DOSES = ("_ms", "share", "percent")
"""Endings of fields of which more is harder, whatever the fault."""
DOWN, UP = 10.0, 3.0


def allowed_by(patterns: Sequence[str], base: Base, facts: Facts) -> list[Allowed]:
    """What may be drawn: the file's own list, else the faults that it names, those that patterns name, or both.

    A pattern is a kind, a family (``process``) or a shell pattern. A fault of that kind stands in the file with its
    fields; others have their defaults, and are aimed at every target that offers what they need.
    """
    if base.limits.allow:
        return base.limits.allow
    if not patterns:
        if not base.named and base.lab:
            return []  # a finding that needs no fault
        if not base.named:
            raise UsageError("no fault is allowed: name some with --allow, or list them in 'explore: allow:'")
        return [_with_doses(each) for each in base.named]
    kinds = {kind for pattern in patterns for kind in _named(pattern)}
    found = [_with_doses(each) for each in base.named if each.get("kind") in kinds]
    rest = kinds - {str(each.fault.get("kind")) for each in found}
    targets: Mapping[str, Target] = base.filled(base.experiment, facts).targets
    for kind in sorted(rest):
        model = members("faults")[kind]
        if not issubclass(model, Fault) or model.irreversible:
            continue
        found += [
            _with_doses({"kind": kind, "target": name})
            for name, target in targets.items()
            if set(model.requires) <= set(target.capabilities())
        ]
    if not found:
        raise UsageError(f"no target offers what any of {', '.join(sorted(kinds))} needs")
    return found


def drawn(allowed: Sequence[Allowed], limits: Limits, rng: Random) -> Schedule:
    """One to ``faults_at_most`` faults, few more often than many, in the order in which they begin."""
    most = min(limits.faults_at_most, len(allowed))
    count = rng.choices(range(1, most + 1), [1 / number for number in range(1, most + 1)])[0]
    return _in_order([_at(each, limits, rng) for each in rng.sample(list(allowed), count)])


def mutated(schedule: Schedule, allowed: Sequence[Allowed], limits: Limits, rng: Random) -> Schedule:
    """A schedule that reached something new, with one thing changed: one fault more, another time or dose."""
    changed = list(schedule)
    if len(changed) < limits.faults_at_most and rng.random() < 0.5:
        changed.append(_at(rng.choice(allowed), limits, rng))
    else:
        number = rng.randrange(len(changed))
        again = allowance_of(changed[number], allowed)
        changed[number] = _at(again or rng.choice(allowed), limits, rng)
    return _in_order(changed)


def allowance_of(each: Mapping[str, Any], allowed: Sequence[Allowed]) -> Allowed | None:
    """From what a fault of a schedule was drawn."""
    for one in allowed:
        if {**each["fault"], **dict.fromkeys(one.vary)} == {**one.fault, **dict.fromkeys(one.vary)}:
            return one
    return None


def in_words(schedule: Schedule) -> str:
    """``process.kill on process at 1.2 s, ...``, or that there is none."""
    said = [f"{each['fault']['kind']} on {each['fault'].get('target', '')} at {each['at_s']:g} s" for each in schedule]
    return ", ".join(said) or "no fault"


def between(mild: float, hard: float, share: float) -> float:
    """So far on the way from mild to hard, by factors where both are above 0; whole where both of them are."""
    value = mild * (hard / mild) ** share if mild > 0 and hard > 0 else mild + (hard - mild) * share
    if float(mild).is_integer() and float(hard).is_integer() and max(mild, hard) >= 10:
        return round(value)
    return float(f"{value:.4g}")


def _at(one: Allowed, limits: Limits, rng: Random) -> dict[str, Any]:
    dose = {name: between(mild, hard, rng.random()) for name, (mild, hard) in one.vary.items()}
    return {"at_s": round(rng.uniform(0, limits.within_s), 1), "fault": {**one.fault, **dose}}


def _in_order(schedule: Schedule) -> Schedule:
    return sorted(schedule, key=lambda each: float(each["at_s"]))


def _named(pattern: str) -> list[str]:
    found = [
        kind
        for kind in members("faults")
        if kind.startswith(f"{pattern}.") or kind == pattern or fnmatchcase(kind, pattern)
    ]
    if not found:
        raise UnknownName(f"--allow: no fault is called {pattern!r}; chaosday catalogue faults lists them")
    return found


def _with_doses(fault: dict[str, Any]) -> Allowed:
    """The doses that can be told from a field's name, around the value that it has; others stay as they are."""
    model = members("faults").get(str(fault.get("kind")))
    vary: dict[str, tuple[float, float]] = {}
    for name, field in (model.model_fields if model else {}).items():
        value = fault.get(name, field.default)
        if not name.endswith(DOSES) or isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            continue
        low = math.ceil(value / DOWN) if isinstance(value, int) else value / DOWN
        bounds = [each for each in (low, value * UP) if _fits(model, fault, name, each)]
        if bounds:
            vary[name] = (min(*bounds, value), max(*bounds, value))
    return Allowed(fault=fault, vary=vary)


def _fits(model: Any, fault: dict[str, Any], name: str, value: float) -> bool:
    try:
        model.model_validate({**filled_away(fault), name: value})
    except ValidationError:
        return False
    return True


def filled_away(fault: dict[str, Any]) -> dict[str, Any]:
    """The fault without what only the lab can fill in."""
    return {name: value for name, value in fault.items() if "${" not in str(value)}
