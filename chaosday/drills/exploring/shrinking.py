"""Shrinking: what violates is made smaller in one way at a time, and stays so where it still does.

The ways, in this order: fewer faults, no actions, fewer clients, shorter, later, a smaller dose. After each success it
begins again, until no way is left that works: delta debugging with steps that people would take. Source: Zeller and
Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28 (2002).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from chaosday.drills.exploring.base import Allowed
from chaosday.drills.exploring.drawing import allowance_of, between
from chaosday.drills.exploring.searching import Search
from chaosday.drills.exploring.trials import Experiment, faults_of

SHORTEST_S = 0.2
SAME = 0.1
"""A dose that would change by less than this share is as small as it gets."""


def shrink(search: Search, allowed: Sequence[Allowed], steps: list[str]) -> None:
    """Leave the smallest that still violates as often as asked for in ``search``, and what was taken away in ``steps``.

    ``search`` has found something; its budget bounds this as well.
    """
    assert search.violating is not None
    best = search.violating
    tried = {_key(best)}
    going = True
    while going:
        going = False
        for words, candidate in smaller(best, allowed):
            if _key(candidate) in tried or not search.budget.left(search.trials):
                continue
            tried.add(_key(candidate))
            if search.again(candidate):
                best, going = candidate, True
                search.violating = best
                steps.append(words)
                search.tell(f"smaller: {words}")
                break


def smaller(experiment: Experiment, allowed: Sequence[Allowed]) -> Iterator[tuple[str, Experiment]]:
    """Every experiment that is smaller in one way, the largest steps first."""
    faults = faults_of(experiment)
    for number, each in enumerate(faults):
        yield f"without {each['fault']['kind']}", {**experiment, "faults": faults[:number] + faults[number + 1 :]}
    for field in ("actions", "repairs"):
        for number, each in enumerate(listed := list(experiment.get(field) or [])):
            yield f"without {each.get('kind')}", {**experiment, field: listed[:number] + listed[number + 1 :]}
    yield from _fewer_clients(experiment)
    window_s = float(experiment.get("fault_window_s", 3))
    if faults and window_s / 2 >= SHORTEST_S:
        shorter_s = round(window_s / 2, 2)
        yield f"faults on for {shorter_s:g} s after the last began", {**experiment, "fault_window_s": shorter_s}
    yield from _later(experiment, faults)
    yield from _milder(experiment, faults, allowed)


def _fewer_clients(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    workloads = list(experiment.get("workloads") or [])
    for number, each in enumerate(workloads):
        clients = int(each.get("clients", 4))
        if clients > 1:
            fewer = {**each, "clients": clients // 2}
            listed = [*workloads[:number], fewer, *workloads[number + 1 :]]
            yield f"{clients // 2} clients", {**experiment, "workloads": listed}


def _later(experiment: Experiment, faults: list[dict[str, Any]]) -> Iterator[tuple[str, Experiment]]:
    last_s = max((float(each["at_s"]) for each in faults), default=0)
    for number, each in enumerate(faults):
        for share in (1.0, 0.5):
            at_s = round(float(each["at_s"]) + share * (last_s - float(each["at_s"])), 1)
            if at_s > float(each["at_s"]):
                moved = sorted([*faults[:number], {**each, "at_s": at_s}, *faults[number + 1 :]], key=_begins)
                yield f"{each['fault']['kind']} at {at_s:g} s", {**experiment, "faults": moved}


def _milder(
    experiment: Experiment, faults: list[dict[str, Any]], allowed: Sequence[Allowed]
) -> Iterator[tuple[str, Experiment]]:
    for number, each in enumerate(faults):
        one = allowance_of(each, allowed)
        for name, (mild, _) in (one.vary if one else {}).items():
            value = float(each["fault"][name])
            for share in (1.0, 0.5):
                milder = between(value, mild, share)
                if abs(milder - value) > SAME * abs(value):
                    fault = {**each["fault"], name: milder}
                    listed = [*faults[:number], {**each, "fault": fault}, *faults[number + 1 :]]
                    yield f"{fault['kind']} with {name} {milder:g}", {**experiment, "faults": listed}


def _begins(each: dict[str, Any]) -> float:
    return float(each["at_s"])


def _key(experiment: Experiment) -> str:
    return json.dumps(experiment, sort_keys=True, default=str)
