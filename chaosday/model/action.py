"""An Action is what an operator would do to bring service back: promote, restart, repoint."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from pydantic import Field

from chaosday.model.base import Model
from chaosday.model.target import Target

GRACE_S = 60.0


class Action(Model):
    """Part of the experiment, not of its undo: journaled before it happens, like every act."""

    kind: str
    target: str = Field(default="", description="Name of the target it acts on")

    @abstractmethod
    def act(self, targets: Mapping[str, Target]) -> str:
        """Do it and say in words what was done; raises a ``ChaosdayError`` if it did not work."""

    def limit_s(self) -> float:
        """The longest that it may take, whatever the target does: its own ``timeout_s``, if it has one, and a minute.

        A run that waits for an action undoes nothing meanwhile.
        """
        return float(getattr(self, "timeout_s", 0)) + GRACE_S

    def commands(self) -> list[str]:
        """Commands that somebody wrote into it, which it has run on a target; none, for most actions."""
        return []


class Reversible(Action):
    """An action that somebody wrote: it says how it is undone, or that it cannot be.

    The undo is run once as the run ends, however it ends, in reverse order, after the faults have been undone. No lease
    keeps it: after a kill of the run itself it is for a person to do, and the journal says what was begun.
    """

    irreversible: bool = False
    """It cannot be undone: this needs the consent that irreversible faults need."""

    @property
    def has_undo(self) -> bool:
        """Whether it says how it is undone."""
        return bool(getattr(self, "undo", ""))

    @abstractmethod
    def take_back(self, targets: Mapping[str, Target]) -> str:
        """Undo it and say in words what was done; raises a ``ChaosdayError`` if it did not work."""

    def lacking(self) -> str:
        """What its file has to say of it still; empty where nothing."""
        if self.has_undo == self.irreversible:
            both = "it says both: an undo, and that there is none" if self.has_undo else "say its undo"
            return f"{both}, or that it is irreversible"
        return ""
