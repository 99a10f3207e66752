"""Cycles of a component, searched for directly: which are found, and which transactions they go through."""

from __future__ import annotations

import pytest

from chaosday.checkers.cycles import Component, search
from chaosday.checkers.graph import RW, WR, WW

pytestmark = pytest.mark.kernel


def component(*edges: tuple[int, int, int]) -> Component:
    """Of (from, to, kind)."""
    out: dict[int, dict[int, int]] = {}
    for a, b, kind in edges:
        out.setdefault(a, {})[b] = out.get(a, {}).get(b, 0) | 1 << kind
    return Component(tuple(sorted({node for a, b, _ in edges for node in (a, b)})), out)


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ([(0, 1, WW), (1, 0, WW)], {"G0": (0, 1, 0)}),
        ([(0, 1, WW), (1, 0, WR)], {"G1c": (0, 1, 0)}),
        ([(0, 1, WR), (1, 0, RW)], {"G-single-item": (0, 1, 0)}),
        # The walk from the first of them passes the second twice; the worse cycle is the loop behind it.
        ([(0, 1, WW), (1, 0, WW), (1, 2, RW), (2, 1, RW)], {"G0": (0, 1, 0), "G2-item": (1, 2, 1)}),
        # Of a walk that passes two transactions twice, no part that does so is shown.
        (
            [(0, 1, WW), (0, 3, RW), (1, 0, WW), (2, 1, RW), (3, 2, WW)],
            {"G0": (0, 1, 0), "G-nonadjacent-item": (1, 0, 3, 2, 1)},
        ),
        ([(0, 2, WW), (1, 2, WW), (2, 0, WW), (2, 1, RW)], {"G0": (0, 2, 0), "G-single-item": (2, 1, 2)}),
    ],
)
def test_a_cycle_of_each_type_is_shown(edges: list[tuple[int, int, int]], found: dict[str, tuple[int, ...]]) -> None:
    """By its name, and as a way that leads back to where it began and is there."""
    assert {cycle.type: cycle.nodes for cycle in search(component(*edges)).cycles} == found
