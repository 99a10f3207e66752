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
