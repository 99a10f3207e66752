"""One game day, verb by verb; all there is to it without Prefect."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chaosday.clock import Clock, SystemClock
from chaosday.drills.execution import bound
from chaosday.drills.gameday import readiness, sealing
from chaosday.drills.gameday.board import NAME, OVER, Board
from chaosday.drills.gameday.day import GameDay, Phase
from chaosday.drills.gameday.hunt import Hunt
from chaosday.drills.gameday.outages import today_utc, trend
from chaosday.drills.gameday.readiness import Gap
from chaosday.drills.gameday.scoring import PlayedFlag, score
from chaosday.errors import ChaosdayError, Halted, Refused
from chaosday.model.clean import Clean
from chaosday.model.experiment import BlastRadius, Experiment, FaultAt
from chaosday.model.fault import FaultPlan
from chaosday.model.finding import Outcome
from chaosday.progress import Step, say
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.lifecycle import Lifecycle
from chaosday.safety.guarding import Guarding
from chaosday.safety.halting import HaltWatch, halted_by
from chaosday.safety.holding import Holding
from chaosday.safety.permission import Permission
from chaosday.undo.watching import watched_over

SECRET = "flags.secret.json"
COMMITMENTS = "flags.sealed.json"
GAME = "game.json"


class GameDayRun:
    """A game day in progress: ``check``, ``seal``, ``begin`` each phase, ``hunt``, ``reveal``.

    A flag is a fault with a lease like any other: leaving the block undoes what is still there, however it is left.
    Until ``reveal`` nothing that others may read tells which flags were drawn.
    """

    def __init__(
        self, day: GameDay, directory: RunDirectory, clock: Clock | None = None, permission: Permission | None = None
    ) -> None:
        self.day, self.directory, self.clock = day, directory, clock or SystemClock()
        self.permission = permission or Permission.of(directory.path.parent)
        self._as_experiment = Experiment.model_construct(
            title=day.title,
            targets=day.targets,
            faults=[FaultAt(fault=option.fault) for option in day.flags.options],
            environment=day.environment,
            blast_radius=BlastRadius(max_targets=min(day.flags.max_targets, 1000)),
            baseline_s=0,
            fault_window_s=day.flags.patience_s,
            after_s=0,
        )
        self.targets = bound(self._as_experiment)
        self.journal = Journal.create(directory.journal_path, directory.run, clock=self.clock)
        self.board = Board.create(directory.path / NAME, directory.run, self.clock)
        self.gaps: list[Gap] = []
        self.stopped = ""
        self.played: list[PlayedFlag] = []
        self.cleans: list[Clean] = []
        self._stop = threading.Event()
        self._guarding = Guarding(day.guards(), self.targets)
        self._halting = HaltWatch(self.permission.switches, self.stop)
        self._holding = Holding(self.permission.fences, directory.run)
        self._stack = contextlib.ExitStack()
        # Which rows or files a fault takes is drawn from the same seed, and as secret until the end.
        self._seed = day.flags.seed if day.flags.seed is not None else sealing.secret_seed()
        self.lifecycle = Lifecycle(
            directory.run,
            self.journal,
            self.targets,
            clock=self.clock,
            seed=self._seed,
            max_affected=day.flags.max_targets,
        )

    def __enter__(self) -> Self:
        self._stack.enter_context(watched_over(self.directory.run, self.directory.journal_path))
        self._stack.enter_context(self.lifecycle.signals.handled())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            try:
                self._end()
            finally:
                for target in self.targets.values():
                    target.close()
                self.journal.close()

    @property
    def ready(self) -> bool:
        """Whether nothing is missing and nobody has stopped it."""
        return not self.gaps and not self._stop.is_set()

    def stop(self, why: str) -> None:
        """End the day from any thread: the flag that is on is undone, and no other is hidden."""
        if not self._stop.is_set():
            self.stopped = why
            self._stop.set()
            self.board.say("stopped", why=why)

    def check(self) -> list[Gap]:
        """The readiness gate: what is missing on paper, in permissions, and in what can be reached right now.

        Every option is planned, whether it will be drawn or not: an error then tells nothing about the draw.
        """
        self._say("preflight", "is everything known that has to be?")
        self.gaps = readiness.gaps(self.day)
        refusals = self.permission.refusals(self._as_experiment, self.clock.wall_ns())
        self.gaps += [Gap(where="permission", words=words) for words in refusals]
        if not self.gaps:
            self.gaps += self._out_of_reach()
        if not self.gaps:
            self.gaps += readiness.monitors_now(self.day, self.targets)
        self.directory.write_json("readiness.json", [gap.model_dump() for gap in self.gaps])
        self.journal.append("readiness", gaps=[gap.line for gap in self.gaps])
        self.board.say("ready" if not self.gaps else "not ready", gaps=[gap.line for gap in self.gaps])
        return self.gaps

    def seal(self) -> list[str]:
        """Draw the flags and publish a commitment to each, before the first phase begins."""
        sealed = sealing.draw(self.day.flags, self._seed)
        sealing.keep(self._secret, sealed)
        commitments = sealed.commitments()
        self.directory.write_json(COMMITMENTS, {"sha256": commitments, "places": self.day.places()})
        self.journal.append("sealed", sha256=commitments)
        self.board.say("sealed", sha256=commitments, places=self.day.places())
        self._halting.start()
        return commitments

    def begin(self, phase: Phase) -> None:
        """Say on the board that a phase begins."""
        self._say("observe", f"{phase.name}: {phase.instructions}")
        self.board.say("phase", name=phase.name, kind=phase.kind)

    def hunt(self) -> None:
        """Hide the flags, one after the other, each until it is mitigated or patience ends."""
        sealed = sealing.opened(self._secret)
        self._guarding.start()
        try:
            Hunt(
                self.day,
                sealed,
                self.targets,
                self.lifecycle,
                self.board,
                self.clock,
                self._over,
                self._may_strike,
            ).play(self._keep)
        finally:
            self._guarding.stop()
            self._end()

    def reveal(self) -> dict[str, Any]:
        """Undo whatever is left, open the seals, score the claims, and write ``game.json``."""
        self._end()
        self.board.say(OVER)
        sealed = sealing.opened(self._secret) if self._secret.is_file() else None
        commitments = self.directory.read_json(COMMITMENTS)["sha256"] if sealed else []
        outcome, reasons = self._outcome(sealing.broken(commitments, sealed) if sealed else [])
        rates = {s.name: s.downtime_cost_per_minute for s in self.day.systems if s.downtime_cost_per_minute}
        ledger = trend(self.day.outages, rates, today_utc(self.clock.wall_ns()))
        claims = self.board.claims()
        told = {
            "run": self.directory.run,
            "title": self.day.title,
            "outcome": outcome.value,
            "reasons": reasons,
            "gaps": [gap.line for gap in self.gaps],
            "stopped": self.stopped,
            "commitments": commitments,
            "revealed": sealed.model_dump(mode="json") if sealed else None,
            "played": [flag.model_dump(mode="json") for flag in self.played],
            "scores": [team.model_dump(mode="json") for team in score(self.played, claims)],
            "claims": [claim.model_dump(mode="json") for claim in claims],
            "notes": [{**note.model_dump(mode="json"), "at": note.at} for note in self.board.notes()],
            "actions": [item.model_dump(mode="json") for item in self.board.actions()],
            "cleans": [clean.words for clean in self.cleans],
            "systems": [s.model_dump(mode="json", exclude={"monitors"}) for s in self.day.systems],
            "people": [person.model_dump(mode="json") for person in self.day.people],
            "abort": [criterion.model_dump(mode="json", exclude={"guard"}) for criterion in self.day.abort],
            "outages": ledger.model_dump(mode="json") if ledger else None,
        }
        self.directory.write_json(GAME, told)
        self.journal.append("game", outcome=outcome.value, reasons=reasons)
        return told

    @property
    def _secret(self) -> Path:
        return self.directory.path / SECRET

    def _end(self) -> None:
        self._halting.stop()
        self.cleans = self.lifecycle.heal_all()
        self._holding.release()

    def _over(self) -> bool:
        if self._guarding.tripped.is_set():
            self.stop(self._guarding.why)
        if self._holding.lost:
            self.stop(self._holding.lost)
        return self._stop.is_set()

    def _may_strike(self, plan: FaultPlan) -> None:
        """The last questions before a flag hurts: switches that answer at once, guardrails, and nobody else there."""
        if words := halted_by([switch for switch in self.permission.switches if switch.local]):
            self.stop(words)
            raise Halted(words)
        if refused := self.permission.refusals_of(plan.affected):
            raise Refused("; ".join(refused))
        self._holding.release()
        self._holding = Holding(self.permission.fences, self.directory.run)
        self._holding.take(self.targets[plan.lease.target].fences(plan.affected))

    def _keep(self, flag: PlayedFlag) -> None:
        self.played.append(flag)
        self.journal.append("played", flag=flag.model_dump(mode="json"))

    def _out_of_reach(self) -> list[Gap]:
        acts: list[tuple[str, Callable[[], object]]] = [
            (f"targets.{name}", target.reach) for name, target in self.targets.items()
        ]
        acts += [
            (f"flags.options.{n} ({option.name})", partial(self.lifecycle.plan, option.fault))
            for n, option in enumerate(self.day.flags.options)
        ]
        found = []
        for where, act in acts:
            try:
                act()
            except ChaosdayError as error:
                found.append(Gap(where=where, words=str(error)))
        return found

    def _outcome(self, broken: list[int]) -> tuple[Outcome, list[str]]:
        """``pass`` is a day that was played to its end and left nothing behind; how well, the score says."""
        if dirty := [clean.words for clean in self.cleans if not clean.clean]:
            return Outcome.REVERT_FAILED, dirty
        reasons = [gap.line for gap in self.gaps] + ([self.stopped] if self.stopped else [])
        reasons += [f"flag {number} is not what was sealed" for number in broken]
        reasons += [f"flag {flag.number} does not count: {flag.why}" for flag in self.played if not flag.bit]
        return (Outcome.INCONCLUSIVE if reasons else Outcome.PASS), reasons

    def _say(self, phase: str, words: str) -> None:
        say(Step(self.directory.run, phase, words))
