"""JSON merge patches (RFC 7386) and their way back, leaf by leaf."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Where = tuple[str, ...]


def leaves(patch: Mapping[str, Any], at: Where = ()) -> Iterator[tuple[Where, Any]]:
    """What a patch sets, each by its place: a list is one value, and so is an empty mapping."""
    for key, value in patch.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*at, key))
        else:
            yield (*at, key), value


def found(thing: Any, where: Where) -> Any:
    """What stands at a place; None where there is no such place, which a merge patch does not tell apart."""
    for key in where:
        thing = thing.get(key) if isinstance(thing, Mapping) else None
    return thing


def ignored(patch: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Places that the patch was to change and that did not change.

    What is there after it need not be the patch's own text: a server adds defaults, and writes ``1000m`` as ``1``.
    """
    same = [where for where, value in leaves(patch) if found(after, where) == found(before, where) != value]
    return [".".join(where) for where in same]


def moved(
    patch: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any] | None, now: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """The places that are still as ``patch`` left them, and those that are neither so nor as they were."""
    ours: list[str] = []
    theirs: list[str] = []
    for where, value in leaves(patch):
        is_now, left = found(now, where), value if after is None else found(after, where)
        if is_now == found(before, where):
            continue
        (ours if is_now == left else theirs).append(".".join(where))
    return ours, theirs


def reverse(patch: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that puts back into ``now`` what ``patch`` changed of ``before``, and nothing beside it."""
    back: dict[str, Any] = {}
    for key, value in patch.items():
        old, present = before.get(key), now.get(key)
        back[key] = copy.deepcopy(old)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            if isinstance(old, Mapping):
                back[key] = reverse(value, old, present)
            elif old is None and _others(value, present):
                back[key] = reverse(value, {}, present)
    return back


def _others(patch: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether something is below a place that the patch made and did not put there."""
    for key, value in now.items():
        if key not in patch:
            return True
        if isinstance(value, Mapping) and isinstance(patch[key], Mapping) and _others(patch[key], value):
            return True
    return False
