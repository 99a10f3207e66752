"""A Corruption damages a copy of evidence and says exactly what it damaged."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from chaosday.model.base import Model
from chaosday.model.evidence import Evidence


@dataclass(frozen=True)
class Planted:
    """Damaged evidence and the truth about it.

    ``keys`` are the items whose content changed; ``equivalent`` are items touched without a change
    of content (the corruption's own oracle says so), which no check is asked to find.
    """

    evidence: Evidence
    keys: frozenset[int | str]
    equivalent: frozenset[int | str] = field(default_factory=frozenset)
    note: str = ""


class NotApplicable(Exception):
    """This evidence has nothing that this corruption could damage; the message says what it lacks."""


class Corruption(Model):
    """Plants known damage of one class, seeded, at a given size.

    ``stores`` names the kinds of evidence it applies to (``ledger``, ``bank``, ``history`` ...).
    ``promised`` says whether an experiment that states no promise of its own has to see it: true
    unless even a perfect check of such a store would miss it at times.
    """

    kind: str
    stores: ClassVar[tuple[str, ...]] = ()
    promised: ClassVar[bool] = True

    @abstractmethod
    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        """Damage ``size`` items of a copy; raise ``NotApplicable`` where there is nothing to damage."""
