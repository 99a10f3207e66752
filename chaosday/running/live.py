"""A run while it lives: what it may do, what it has seen so far, and how it is stopped, whatever its kind."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from chaosday.clock import Clock, SystemClock
from chaosday.errors import ChaosdayError, Halted, Refused
from chaosday.model.action import Action, Reversible
from chaosday.model.clean import Clean
from chaosday.model.experiment import Guard
from chaosday.model.fault import Bite, Fault, FaultPlan
from chaosday.model.finding import Finding
from chaosday.model.history import History
from chaosday.model.intent import Intent, bound
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target
from chaosday.processes.limits.within import within
from chaosday.progress import Step, say
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.lifecycle import Lifecycle
from chaosday.running.looking import Looking
from chaosday.running.meeting import Ordinary
from chaosday.running.signals import words_of
from chaosday.running.workloads import Workloads
from chaosday.safety.guarding import Guarding
from chaosday.safety.halting import HaltWatch, halted_by
from chaosday.safety.holding import Holding
from chaosday.safety.permission import Permission
from chaosday.safety.reading import asked
from chaosday.undo.undoing import Attempt

T = TypeVar("T")
FIRST_ANSWER_S = 30.0
HEARTBEAT_SLACK_S = 3600.0
"""How much longer than its file says a run may keep its leases alive: people at a game day take their time."""


@dataclass(frozen=True)
class Planned:
    """A fault with its plan, and when it begins, in seconds after the baseline."""

    at_s: float
    fault: Fault
    plan: FaultPlan


class LiveRun:
    """Means and memory of a run; a kind works with these and has no others.

    What falls short is collected in ``shortfalls``, in words; each one alone makes the verdict inconclusive. Nothing
    between the first injection and the end of the undo waits for anybody else's API.
    """

    def __init__(
        self,
        intent: Intent,
        directory: RunDirectory,
        clock: Clock | None = None,
        *,
        guards: Sequence[Guard] = (),
        permission: Permission | None = None,
    ) -> None:
        self.intent = intent
        self.directory = directory
        self.clock = clock or SystemClock()
        self.permission = permission or Permission.of(directory.path.parent)
        self.targets: Mapping[str, Target] = bound(intent.targets)
        self.journal = Journal.create(directory.journal_path, directory.run, clock=self.clock)
        self.lifecycle = Lifecycle(
            directory.run,
            self.journal,
            self.targets,
            clock=self.clock,
            seed=intent.seed,
            max_affected=intent.max_targets,
        )
        self.looking = Looking(self.lifecycle, self.journal, self.clock, self.targets)
        self.workloads = Workloads(directory, self.journal, self.clock, intent.seed)
        self.plans: list[Planned] = []
        self.refusals: list[str] = []
        self.shortfalls: list[str] = []
        self.bites: list[Bite] = []
        self.abstained: list[Bite] = []
        """What was measured of the faults that a placebo run left out."""
        self.cleans: list[Clean] = []
        self.findings: list[Finding] = []
        self.injected = False
        self.acted: list[Action] = []
        """What was done, or begun, of actions, in order."""
        self.stopped = ""
        self.when_stopped: list[Callable[[str], None]] = []
        """Told once, by whichever thread it was that stopped the run."""
        self._guarding = Guarding(guards, self.targets)
        self._halting = HaltWatch(self.permission.switches, self.stop)
        self._holding = Holding(self.permission.fences, directory.run)
        self._stopping = threading.Lock()
        self._stop = threading.Event()

    @property
    def ready(self) -> bool:
        """Whether nothing has gone wrong yet: the condition for going on to hurt anything."""
        return not self.shortfalls

    @property
    def hits(self) -> list[tuple[str, bool]]:
        """Each fault that had its turn, by its kind, and whether it bit; one that a placebo left out counts as if."""
        return [(each.fault, each.bit) for each in self.bites] + [(each.fault, True) for each in self.abstained]

    def fall_short(self, reason: str) -> None:
        """Note why this run cannot prove what it set out to; journaled, and part of the verdict."""
        self.shortfalls.append(reason)
        # A disk that is full may be the reason.
        with contextlib.suppress(OSError, ChaosdayError):
            self.journal.append("shortfall", reason=reason)

    def stop(self, reason: str) -> None:
        """End the run early from any thread: waits are cut short, everything is undone, the verdict says why."""
        with self._stopping:
            if self.stopped:
                return
            self.stopped = reason
        self.fall_short(reason)
        self._stop.set()
        for tell in self.when_stopped:
            self.guarded(lambda tell=tell: tell(reason))  # type: ignore[misc]

    def over(self) -> bool:
        """Whether the run has to end: stopped, signalled, a guard tripped, a hold or lease lost, a workload gone."""
        if received := self.lifecycle.signals.taken():
            self.stop(words_of(received))
        if self._guarding.tripped.is_set():
            self.stop(f"aborted: {self._guarding.why}")
        if self._holding.lost:
            self.stop(f"aborted: {self._holding.lost}")
        if not self._stop.is_set() and (gone := self.lifecycle.lost()):
            self.stop(f"aborted: {gone}")
        for watcher in (self._guarding, self._halting, self._holding):
            if not self._stop.is_set() and (blind := watcher.blind()):
                self.stop(f"aborted: {blind}")
        if not self._stop.is_set() and (lost := self.workloads.lost()):
            self.stop(lost)
        return self._stop.is_set()

    def guarded(self, act: Callable[[], T]) -> T | None:
        """Do it; an error on purpose, or one of the machine's, becomes a shortfall; a defect of ours is heard."""
        try:
            return act()
        except ChaosdayError as error:
            self.fall_short(str(error))
        except OSError as error:
            self.fall_short(" ".join(str(error).split()))
        return None

    def plan(self, fault: Fault, at_s: float = 0) -> FaultPlan:
        """Resolve a fault, and have what it resolves to permitted; touches nothing."""
        if not self.ready:
            raise Refused("nothing is planned any more: the run has fallen short already")
        plan = self.lifecycle.plan(fault)
        self.plans.append(Planned(at_s, fault, plan))
        return plan

    def strike(
        self, plan: FaultPlan, *, injected: Callable[[], None] = lambda: None, meant_to_last: bool = True
    ) -> Bite:
        """Arm, inject and measure; heartbeats keep the lease alive from here on. ``injected`` is called in between.

        It is looked at again until ``last_look``, unless somebody else is expected to end it.
        """
        self.require_leave(plan)
        self.injected = True
        self.lifecycle.arm(plan)
        self.keep_alive()
        watch = self.looking.begin(plan)
        self.lifecycle.inject(plan)
        injected()
        watch.injected()
        bite = self.lifecycle.attest(plan)
        self.bites.append(bite)
        watch.begin(bite, meant_to_last=meant_to_last)
        return bite

    def last_look(self, plan: FaultPlan | None = None) -> None:
        """Measure one fault, or all, at the end of what it was meant to last; not where the run has to end at once."""
        self.looking.end(self.over, demanded=bool(self.workloads.drivers), plan=plan)
        self.bites = [self.looking.told(bite) for bite in self.bites]

    def measure_met(self, history: History, least_share: float) -> None:
        """Say of every bite which share of the workload's operations met it; less than ``least_share`` falls short."""
        first_ns = min((watch.began_ns for watch in self.looking.watches), default=0)
        ordinary = Ordinary.of(history, first_ns)
        for watch in self.looking.watches:
            bite = watch.told
            if bite is None or bite not in self.bites:
                continue
            met = bite.met or ordinary.met(history, watch.began_ns, watch.ended_ns)
            told = bite.model_copy(update={"met": met, "why": f"{bite.why}; {met.words}"})
            self.bites[self.bites.index(bite)] = told
            if met.share < least_share:
                share = f"{met.share:.1%}, and {least_share:.1%} is asked for"
                self.fall_short(f"bite: {told.fault} on {told.target}: {met.words}: {share}")

    def keep_alive(self) -> None:
        """Renew the leases for as long as the run may take, and no longer."""
        self.lifecycle.start_heartbeat(limit_s=self.intent.length_s + HEARTBEAT_SLACK_S)

    def require_leave(self, plan: FaultPlan) -> None:
        """The last questions before anything is armed; ``Refused`` where the answer is no."""
        if self.over():
            raise Halted(self.stopped)
        self._holding.check()
        # Only the switches that answer at once: between inject and heal nothing waits for anybody's API.
        if words := halted_by([switch for switch in self.permission.switches if switch.local]):
            self.stop(words)
            raise Halted(words)
        if refused := self.permission.refusals_of(plan.affected):
            raise Refused("; ".join(refused))

    def hold(self, names: Iterable[str], *, more: bool = False) -> None:
        """Nobody else may hurt at the same time what this run will hurt; ``Refused`` names who does. ``more`` is for
        what it will hurt besides: what is held already stays so."""
        taken = self._holding.take(names)
        if taken or not more:
            self.journal.append("holding_more" if more else "holding", fences=taken)

    def fences(self) -> set[str]:
        """What its plans will hurt, in the words of ``hold``."""
        return {name for each in self.plans for name in self.targets[each.fault.target].fences(each.plan.affected)}

    def read(self, probes: Sequence[Probe], what: str) -> list[ProbeReading]:
        """Ask each; one that is not healthy, or gives no answer, falls short."""
        readings = []
        for probe in probes:
            reading = asked(probe, self.targets[probe.target])
            readings.append(reading)
            if reading.healthy is not True:
                self.fall_short(f"{what}: {probe.kind} on {probe.target}: {reading.words}")
        return readings

    def act(self, phase: str, actions: Sequence[Action]) -> None:
        """Do what an operator would do; each journaled before it is done."""
        for action in actions:
            self.say(phase, f"{action.kind} on {action.target}")
            self.journal.append("action", action=action.model_dump(mode="json"))
            self.acted.append(action)
            words = self.guarded(lambda action=action: self._acted(action))  # type: ignore[misc]
            self.journal.append("action_done", kind=action.kind, words=words)

    def take_back(self) -> None:
        """Undo what was done that says how, the last first; one that fails leaves the target as nobody wants it."""
        for action in reversed(self.acted):
            if not isinstance(action, Reversible) or not action.has_undo:
                continue
            # Where it can no longer be written down it is done all the same.
            self._note("action_undo", action=action.model_dump(mode="json"))
            tried = Attempt(f"the undo of {action.kind}")
            with tried:
                words = within(action.limit_s(), partial(action.take_back, self.targets), f"undoing {action.kind}")
                self._note("action_undone", kind=action.kind, words=words)
            if tried.error:
                self.cleans.append(Clean(lease_id="", fault=action.kind, target=action.target, errors=[tried.error]))
        self.acted.clear()

    def _note(self, event: str, **said: Any) -> None:
        """Write it into the journal; where that cannot be written any more the run falls short, and goes on."""
        self.guarded(lambda: self.journal.append(event, **said))

    def _acted(self, action: Action) -> str:
        """Its words, within its limit: a target that hangs does not keep the run from undoing what it did."""
        what = f"{action.kind} on {action.target}"
        return within(action.limit_s(), lambda: action.act(self.targets), what)

    def wait(self, phase: str, seconds: float, words: str = "", until: Callable[[], bool] = lambda: False) -> None:
        """Wait in small steps, cut short by ``until`` or the end of the run, telling how far along."""
        began_ns = self.clock.monotonic_ns()
        while (gone_s := (self.clock.monotonic_ns() - began_ns) / 1e9) < seconds:
            if self.over() or until():
                return
            say(Step(self.directory.run, phase, words, gone_s, seconds, self.workloads.per_s()))
            self.clock.sleep(min(0.1, seconds - gone_s))

    def let_work(self, seconds: float, at_most_s: float, enough: int) -> None:
        """The baseline: clients work undisturbed for so long, counted from the first acknowledgement.

        On a busy machine a client needs longer to begin than a short baseline lasts; one that never gets an answer is
        not waited for any longer than ``FIRST_ANSWER_S``. Then until ``enough`` operations are acknowledged, where
        ``at_most_s`` leaves time for it: now, because what is acknowledged after the fault was never in danger.
        """
        self.wait("baseline", FIRST_ANSWER_S, "clients begin", lambda: self.workloads.acknowledged() > 0)
        self.wait("baseline", seconds, "clients work")
        more = f"until {enough:,} operations are acknowledged"
        self.wait("baseline", at_most_s - seconds, more, lambda: self.workloads.acknowledged() >= enough)

    def stop_workloads(self) -> None:
        """Let the clients come to an end; what was wrong with it falls short."""
        if self.workloads.alive():
            self.say("rollback", "letting the workloads finish")
        for wrong in self.workloads.stop(at_once=self._stop.is_set()):
            self.fall_short(wrong)

    def say(self, phase: str, words: str) -> None:
        """Tell whoever listens what is being done."""
        say(Step(self.directory.run, phase, words))

    def keep(self, name: str, said: Any) -> None:
        """Keep an observation for the checks."""
        self.directory.write_json(f"observations/{name}.json", said)
