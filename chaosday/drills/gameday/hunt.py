"""The hunt: each sealed flag in turn is quiet, hurts, is claimed and measured, and is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chaosday.drills.gameday.board import Board, Claim
from chaosday.drills.gameday.day import FlagOption, GameDay
from chaosday.drills.gameday.scoring import PlayedFlag
from chaosday.drills.gameday.sealing import Sealed, SealedFlag
from chaosday.errors import ChaosdayError
from chaosday.model.fault import FaultPlan
from chaosday.running.live import LiveRun
from chaosday.safety.reading import asked


@dataclass(frozen=True)
class Hunt:
    """The rounds of one game day, played on a run that lives."""

    day: GameDay
    sealed: Sealed
    run: LiveRun
    board: Board

    def play(self, played: Callable[[PlayedFlag], None]) -> None:
        """Hide all flags, one after the other; ``played`` is told of each when it has been undone."""
        for flag in self.sealed.flags:
            self.run.wait("inject", flag.quiet_s)
            if self.run.over():
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
            plan = self.run.lifecycle.plan(option.fault)
            self.run.require_leave(plan)
        except ChaosdayError as error:
            return told.model_copy(update={"why": f"it could not be hidden: {error}"})
        return self._hurt(told, option, plan)

    def _hurt(self, told: PlayedFlag, option: FlagOption, plan: FaultPlan) -> PlayedFlag:
        clock = self.run.clock
        seen = {"began_ns": clock.wall_ns()}
        try:
            bite = self.run.strike(plan, injected=lambda: seen.update(began_ns=clock.wall_ns()), meant_to_last=False)
            told = told.model_copy(update={"bit": bite.bit, "why": bite.why})
            accepted = self._listen(seen["began_ns"], option, plan) if bite.bit else None
        except ChaosdayError as error:
            return told.model_copy(update={**seen, "bit": False, "why": f"it could not be played: {error}"})
        finally:
            seen["ended_ns"] = clock.wall_ns()
            self.run.lifecycle.heal(plan)
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
            return False

        self.run.wait("observe", self.day.flags.patience_s, "", done)
        return accepted[0] if accepted else None

    def _answer(self, claim: Claim, option: FlagOption, plan: FaultPlan) -> bool:
        if option.mitigated is not None:
            gone = asked(option.mitigated, self.run.targets[option.mitigated.target]).healthy is True
        else:
            # An error here is no sign that it is gone: the claim is refused, and the team may claim again.
            gone = _quietly(partial(self.run.lifecycle.attest, plan))
        self.board.say("answered", claim=claim.seq, team=claim.team, accepted=gone)
        return gone


def _quietly(attest: Callable[[], object]) -> bool:
    try:
        return getattr(attest(), "bit", True) is False
    except ChaosdayError:
        return False
