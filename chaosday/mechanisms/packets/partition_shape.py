"""The shapes of a partition over a set of hosts, as the peers each of them can no longer reach.

The shapes are those of Jepsen's nemesis (halves, bridge, majorities-ring, isolated node).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.errors import UsageError

Shape = Literal["isolate", "halves", "bridge", "ring"]


def cut_off(members: Sequence[str], own: str, shape: Shape) -> list[str]:
    """Which of ``members`` the host ``own`` is cut off from; the relation is symmetric.

    ``isolate``: the first one from all others. ``halves``: the first half from the second, which has
    the odd one. ``bridge``: halves, but the middle one sees both. ``ring``: each sees the nearest
    neighbours on either side that make up a majority with itself, so that every majority differs.
    """
    if own not in members:
        raise UsageError(f"{own} is not one of {', '.join(members)}")
    return [other for other in members if other != own and _cut(list(members), own, other, shape)]


def _cut(members: list[str], a: str, b: str, shape: Shape) -> bool:
    i, j, n = members.index(a), members.index(b), len(members)
    if shape == "isolate":
        return 0 in (i, j)
    if shape == "halves":
        return (i < n // 2) != (j < n // 2)
    if shape == "bridge":
        middle = n // 2
        return middle not in (i, j) and (i < middle) != (j < middle)
    distance = min((i - j) % n, (j - i) % n)
    return distance > (n // 2 + 1) // 2
