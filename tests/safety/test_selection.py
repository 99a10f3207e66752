"""The blast radius is a cap on what a selection resolves to (G7)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosday.errors import BlastRadiusExceeded, ChaosdayError, Refused, UsageError
from chaosday.safety.selection import RadiusCap, Selection, confirm, resolve

LABELS = st.dictionaries(st.sampled_from(["role", "zone"]), st.sampled_from(["a", "b"]), max_size=2)
INVENTORIES = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), LABELS, max_size=30)
CAPS = st.builds(RadiusCap, max_count=st.integers(0, 10), max_percent=st.decimals(0, 100, places=2).map(float))
SELECTIONS = st.builds(Selection, labels=LABELS, pick=st.integers(0, 6))


@given(INVENTORIES, SELECTIONS, CAPS, st.integers(0, 9))
def test_never_more_than_the_cap(inventory: dict, selection: Selection, cap: RadiusCap, seed: int) -> None:
    """Whatever resolves is within both caps, matches, and is the same for the same seed."""
    try:
        chosen = resolve(inventory, selection, cap, seed)
    except (UsageError, BlastRadiusExceeded):
        return
    assert 0 < len(chosen) <= cap.max_count
    assert len(chosen) * 100 <= Fraction(str(cap.max_percent)) * len(inventory)
    assert all(selection.matches(inventory[name]) for name in chosen)
    assert chosen == resolve(inventory, selection, cap, seed)
    assert not selection.pick or len(chosen) == selection.pick


@given(INVENTORIES, INVENTORIES, SELECTIONS, CAPS)
def test_an_inventory_that_changed_widens_nothing(
    before: dict, after: dict, selection: Selection, cap: RadiusCap
) -> None:
    """What was chosen is confirmed only where it would still be within the caps of the inventory as it is now."""
    try:
        chosen = resolve(before, selection, cap, 1)
        confirm(chosen, after, selection, cap)
    except ChaosdayError:
        return
    assert len(chosen) <= cap.allows(len(after))
    assert all(name in after and selection.matches(after[name]) for name in chosen)


@pytest.mark.parametrize(
    ("cap", "population", "allowed"),
    [
        (RadiusCap(), 100, 1),
        (RadiusCap(max_count=10, max_percent=5), 19, 0),
        (RadiusCap(max_count=10, max_percent=5), 20, 1),
        (RadiusCap(max_count=10, max_percent=33.4), 3, 1),
        (RadiusCap(max_count=100, max_percent=7), 100, 7),
        (RadiusCap(max_count=0), 5, 0),
    ],
)
def test_rounding_never_widens(cap: RadiusCap, population: int, allowed: int) -> None:
    """The default is one; a per cent is rounded down, also where floats would round it up."""
    assert cap.allows(population) == allowed


def test_a_host_that_left_is_refused() -> None:
    """A chosen host that is gone, or is something else now, is a refusal that says to plan again."""
    selection = Selection(labels={"role": "a"})
    with pytest.raises(Refused, match="plan again"):
        confirm(["x"], {"y": {"role": "a"}}, selection, RadiusCap())
    with pytest.raises(Refused, match="no longer matches role=a"):
        confirm(["x"], {"x": {"role": "b"}}, selection, RadiusCap())
