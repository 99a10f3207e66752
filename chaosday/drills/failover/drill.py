"""A failover drill as a value: how one leaves the primary, how one comes back, and where writes may be taken."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from chaosday.model.any_of import any_of
from chaosday.model.experiment import Experiment

AWAY, HOME = "away", "home"
STATIONS = (AWAY, HOME)


class FailoverDrill(Experiment):
    """An experiment with two stations: away from the primary, and back home.

    ``faults`` and ``actions`` lead away; at the station *away* clients work for ``stay_s``, and what was acknowledged
    is read back. The faults are undone, ``repairs`` bring the old side back as a follower, ``back`` leads home, and the
    same is done there.
    """

    acting: ClassVar[tuple[str, ...]] = ("actions", "repairs", "back")
    asking: ClassVar[tuple[str, ...]] = ("sides",)

    hypothesis: str = "Away and back again nothing acknowledged is lost, and never do two sides take writes at once."
    back: list[any_of("actions")] = []  # type: ignore[valid-type]
    """What leads home, after the repairs."""
    sides: list[any_of("probes")] = []  # type: ignore[valid-type]
    """One for each side, aimed at it directly and not by way of what leads clients: healthy where it takes writes."""
    every_s: float = Field(default=0.25, gt=0, le=60)
    """How often each side is asked."""
    stay_s: float = Field(default=3, gt=0, le=86_400)
    """How long clients work at each station before it is read."""
    refused_at_most_s: float = Field(default=60, gt=0, le=86_400)
    """The longest time without an acknowledged write, on the way there and on the way back."""

    @model_validator(mode="before")
    @classmethod
    def _judged(cls, data: Any) -> Any:
        """What was acknowledged is looked for at the end whatever else is checked."""
        return {"checks": [{"kind": "ledger"}], **data} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not any(each.kind == "ledger" for each in self.workloads):
            raise ValueError("workloads: a ledger is needed: it is what is read back at each station")
        names = [each.target for each in self.sides]
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise ValueError(
                "sides: two sides at least are needed, each once, or nobody would see that both take writes"
            )
        if not (self.faults or self.random or self.actions):
            raise ValueError("actions: say what leads away from the primary: faults, actions, or both")
        if not self.back:
            raise ValueError("back: say what leads home again")
        return self
