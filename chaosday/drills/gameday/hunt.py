"""The hunt: each sealed flag in turn is quiet, hurts, is claimed and measured, and is undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from chaosday.clock import Clock
from chaosday.drills.gameday.board import Board, Claim
from chaosday.drills.gameday.day import FlagOption, GameDay
from chaosday.drills.gameday.scoring import PlayedFlag
from chaosday.drills.gameday.sealing import Sealed, SealedFlag
from chaosday.errors import ChaosdayError
from chaosday.model.fault import FaultPlan
from chaosday.model.target import Target
from chaosday.running.lifecycle import Lifecycle

LOOK_S = 0.1


@dataclass(frozen=True)
class Hunt:
    """What the rounds need; ``over`` says whether the day was stopped, ``may_strike`` raises where it has to be."""

    day: GameDay
    sealed: Sealed
    targets: Mapping[str, Target]
    lifecycle: Lifecycle
    board: Board
    clock: Clock
    over: Callable[[], bool]
    may_strike: Callable[[FaultPlan], None]

    def play(self, played: Callable[[PlayedFlag], None]) -> None:
        """Hide all flags, one after the other; ``played`` is told of each when it has been undone."""
        for flag in self.sealed.flags:
            self._wait(flag.quiet_s, self.over)
            if self.over():
                return
            played(self._round(flag))

    def _round(self, flag: SealedFlag) -> PlayedFlag:
        option = next(each for each in self.day.flags.options if each.name == flag.name)
        told = PlayedFlag(
            number=flag.number,
            name=flag.name,
            where=flag.where,
            kind=option.fault.kind,
            patience_s=self.day.flags.patience_s,
        )
        try:
            # Planned now and not at the start: the team may have changed since what is to be put back.
            plan = self.lifecycle.plan(option.fault)
            self.may_strike(plan)
        except ChaosdayError as error:
            return told.model_copy(update={"why": f"it could not be hidden: {error}"})
        return self._hurt(told, option, plan)

    def _hurt(self, told: PlayedFlag, option: FlagOption, plan: FaultPlan) -> PlayedFlag:
        seen = {"began_ns": self.clock.wall_ns()}
        try:
            self.lifecycle.arm(plan)
            self.lifecycle.start_heartbeat(limit_s=told.patience_s + 3600)
            self.lifecycle.inject(plan)
            seen["began_ns"] = self.clock.wall_ns()
            bite = self.lifecycle.attest(plan)
            told = told.model_copy(update={"bit": bite.bit, "why": bite.why})
            accepted = self._listen(seen["began_ns"], option, plan) if bite.bit else None
        except ChaosdayError as error:
            return told.model_copy(update={**seen, "bit": False, "why": f"it could not be played: {error}"})
        finally:
            seen["ended_ns"] = self.clock.wall_ns()
            self.lifecycle.heal(plan)
        return told.model_copy(update={**seen, "accepted": accepted})

    def _listen(self, began_ns: int, option: FlagOption, plan: FaultPlan) -> int | None:
        """Wait for a claim of mitigation that measuring bears out; each is answered, with nothing that tells more."""
        answered: set[int] = set()
        accepted: list[int] = []

        def done() -> bool:
            for claim in self.board.claims():
                if claim.stage == "mitigate" and claim.at_ns >= began_ns and claim.seq not in answered:
                    answered.add(claim.seq)
                    if self._answer(claim, option, plan):
                        accepted.append(claim.seq)
                        return True
            return self.over()

        self._wait(self.day.flags.patience_s, done)
        return accepted[0] if accepted else None

    def _answer(self, claim: Claim, option: FlagOption, plan: FaultPlan) -> bool:
        if option.mitigated is not None:
            gone = option.mitigated.read(self.targets[option.mitigated.target]).healthy is True
        else:
            # An error here is no sign that it is gone: the claim is refused, and the team may claim again.
            gone = _quietly(partial(self.lifecycle.attest, plan))
        self.board.say("answered", claim=claim.seq, team=claim.team, accepted=gone)
        return gone

    def _wait(self, seconds: float, over: Callable[[], bool]) -> None:
        until_ns = self.clock.monotonic_ns() + int(seconds * 1e9)
        while not over() and (left_s := (until_ns - self.clock.monotonic_ns()) / 1e9) > 0:
            self.clock.sleep(min(LOOK_S, left_s))


def _quietly(attest: Callable[[], object]) -> bool:
    try:
        return getattr(attest(), "bit", True) is False
    except ChaosdayError:
        return False
