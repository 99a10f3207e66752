"""Which of a set of hosts an experiment may touch: chosen by labels, capped on what that resolves to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction

import numpy as np
from pydantic import Field

from chaosday.errors import BlastRadiusExceeded, Refused, UsageError
from chaosday.model.base import Model

Inventory = Mapping[str, Mapping[str, str]]
"""Name of a host -> its labels."""


class RadiusCap(Model):
    """The most that may be hurt at once: both caps hold, and a per cent is rounded down.

    5 % of 19 hosts is no host, not one: rounding never widens what was permitted.
    """

    max_count: int = Field(default=1, ge=0)
    max_percent: float = Field(default=100, ge=0, le=100)
    """Of the whole inventory, not of what the selection matched: a narrow selector earns no larger share."""

    def allows(self, population: int) -> int:
        """How many of ``population`` may be hurt."""
        # A float product can land on the wrong side: 0.07 * 100 is 7.000000000000001.
        share = Fraction(str(self.max_percent)) * population / 100
        return min(self.max_count, int(share))


class Selection(Model):
    """Hosts whose labels all match; of those, ``pick`` at random by the seed, or every one where it is 0."""

    labels: dict[str, str] = {}
    pick: int = Field(default=0, ge=0)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is meant."""
        return all(labels.get(name) == value for name, value in self.labels.items())


def resolve(inventory: Inventory, selection: Selection, cap: RadiusCap, seed: int) -> list[str]:
    """The names of the hosts to hurt, sorted; never more than ``cap`` allows.

    Raises ``UsageError`` where nothing matches (a selection that hits nothing proves nothing), and
    ``BlastRadiusExceeded`` where more resolve than the cap allows: it refuses, it does not trim,
    because a selection that is wider than its author thought is a mistake to hear about.
    """
    matched = sorted(name for name, labels in inventory.items() if selection.matches(labels))
    if not matched:
        raise UsageError(f"no host of {len(inventory)} matches {_words(selection)}")
    chosen = matched
    if selection.pick:
        if selection.pick > len(matched):
            raise UsageError(f"{selection.pick} hosts asked for, but only {len(matched)} match {_words(selection)}")
        chosen = sorted(np.random.default_rng(seed).choice(matched, selection.pick, replace=False).tolist())
    _hold(chosen, len(inventory), cap)
    return chosen


def confirm(chosen: Collection[str], inventory: Inventory, selection: Selection, cap: RadiusCap) -> None:
    """Check again, just before injection, what ``resolve`` chose: the inventory may have changed since.

    Raises ``Refused`` where a chosen host is gone or no longer matches, ``BlastRadiusExceeded`` where
    the same hosts are now too large a share.
    """
    for name in chosen:
        if name not in inventory:
            raise Refused(f"{name} left the inventory after the plan was made; plan again")
        if not selection.matches(inventory[name]):
            raise Refused(f"{name} no longer matches {_words(selection)}; plan again")
    _hold(chosen, len(inventory), cap)


def _hold(chosen: Collection[str], population: int, cap: RadiusCap) -> None:
    allowed = cap.allows(population)
    if len(chosen) > allowed:
        raise BlastRadiusExceeded(
            f"{len(chosen)} hosts resolved, {allowed} of {population} allowed "
            f"(max_count {cap.max_count}, max_percent {cap.max_percent:g}); narrow the selection or raise the cap"
        )


def _words(selection: Selection) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(selection.labels.items())) or "an empty selection"
