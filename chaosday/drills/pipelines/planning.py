"""Which points are run, in which way: every crash state, and of what a run outlives as much as the budget allows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from chaosday.checks.exactly_once import DISTURBED
from chaosday.drills.pipelines.attempts import CUT, END, KILL, LATE, ZOMBIE
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.drills.pipelines.golden import Golden
from chaosday.drills.pipelines.points import Point, audited, loose
from chaosday.errors import UsageError

_USED = 0.8
"""How much of the budget is planned for: a run of tomorrow may take longer than the one that was timed."""


@dataclass(frozen=True)
class Planned:
    """One attempt to be made; ``audit`` is a sample of those that need not be. The end has no point."""

    way: str
    point: Point | None = None
    audit: bool = False

    @property
    def name(self) -> str:
        return self.point.name if self.point else END


def plan(value: PipelineDrill, golden: Golden) -> list[Planned]:
    """In the order in which they are made: the crash states, the end, the sample of other points, the other ways.

    In those the memory of a process that lives on counts too, so that no point stands for another. As many are planned
    as the budget allows, a seeded sample, those of messages that come late first: they are few.
    """
    ways = set(value.ways)
    states, audits = [], []
    if KILL in ways:
        states, audits = golden.states, audited(golden.points, value.audit, value.seed)
    first = [Planned(KILL, point) for point in states]
    first += [Planned(END)] if END in ways else []
    first += [Planned(KILL, point, audit=True) for point in audits]
    late = [Planned(LATE, point) for point in loose(golden.points)] if LATE in ways else []
    rest = [Planned(way, point) for way in (CUT, ZOMBIE) if way in ways for point in _asked(golden)]
    room_s, one_s = _USED * value.budget.minutes * 60 - golden.estimate_s(len(first)), golden.estimate_s(1)
    room = max(0, int(room_s / one_s)) if one_s else 0
    return [*first, *_sampled(late, room, value.seed), *_sampled(rest, room - len(late), value.seed)]


def one(name: str, golden: Golden) -> Planned:
    """The attempt of that name; ``UsageError`` where there is no such point."""
    if name == END:
        return Planned(END)
    number, side, *way = name.split(".")
    for point in golden.points:
        if point.name == f"{number}.{side}":
            if way and point.of_files:
                raise UsageError(f"only: at {number}.{side} a file is changed; there the run can be killed, no more")
            return Planned(way[0] if way else KILL, point)
    last = golden.points[-1].name
    raise UsageError(f"only: there is no point {number}.{side}; the last one is {last}, and then end")


def left_out(value: PipelineDrill, golden: Golden, planned: Sequence[Planned]) -> list[str]:
    """What the budget did not allow, in words."""
    if value.only:
        return []
    asked = len(_asked(golden))
    whole = {LATE: len(loose(golden.points)), CUT: asked, ZOMBIE: asked}
    made = {way: sum(each.way == way for each in planned) for way in whole}
    return [
        f"{made[way]} of {count} {DISTURBED[way]} were tried, which is what the budget allowed"
        for way, count in whole.items()
        if way in value.ways and made[way] < count
    ]


def _asked(golden: Golden) -> list[Point]:
    """The points of what was asked of stores: no connection ends, and no lock is held, where a file is changed."""
    return [point for point in golden.points if not point.of_files]


def _sampled(planned: list[Planned], room: int, seed: int) -> list[Planned]:
    chosen = random.Random(seed).sample(range(len(planned)), max(0, min(room, len(planned))))
    return [planned[number] for number in sorted(chosen)]
