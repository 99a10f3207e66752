"""An Intent: what a run of any kind means to do; all that permission judges before anything is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chaosday.model.fault import Fault
from chaosday.model.target import Target


class Commanding(Protocol):
    """A probe, an action or a target: whatever may run commands that somebody wrote into a file."""

    def commands(self) -> list[str]: ...


@dataclass(frozen=True)
class Intent:
    """The words of a run's file as far as they say what is touched, how much of it, and for how long.

    ``length_s`` is how long it disturbs anything, in seconds, settling apart. With ``one_at_a_time`` each fault is
    undone before the next begins, so that the caps hold for each alone and not for their sum.
    """

    title: str
    hypothesis: str
    seed: int
    environment: str
    targets: Mapping[str, Target]
    faults: Sequence[Fault] = ()
    commands: Sequence[str] = ()
    irreversible: Sequence[str] = ()
    """Kinds of its actions that cannot be undone."""
    max_targets: int = 1
    one_at_a_time: bool = False
    length_s: float = 0

    def things(self) -> list[str]:
        """What its targets are, beside what its file calls them, sorted."""
        return sorted({thing for name, target in self.targets.items() for thing in (name, *target.things())})


def commands_of(parts: Iterable[Commanding]) -> tuple[str, ...]:
    """Every command that the parts of a run would have run."""
    return tuple(command for part in parts for command in part.commands())


def bound(targets: Mapping[str, Any]) -> dict[str, Target]:
    """Targets by name, those that go ``via`` a route leading through it."""
    found: dict[str, Target] = dict(targets)
    for name, target in targets.items():
        if via := getattr(target, "via", ""):
            found[name] = target.through(found[via])
    return found
