"""A fault's life: plan, arm, inject, attest, heal, observed clean; each act journaled before it is done.

::

    with Lifecycle(run, journal, targets, seed=7) as life:
        plan = life.plan(fault)
        life.arm(plan)
        life.start_heartbeat()
        life.inject(plan)
        bite = life.attest(plan)
        ...
        cleans = life.heal_all()

Leaving the block heals whatever is still open, last in first out, however it is left: by its end, an
exception, Ctrl-C, SIGTERM or SIGHUP. For the ways that leave no time (SIGKILL, a power cut, a lost network)
there are the lease on the target, the watchdog beside us, and ``recovery.recover``.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from chaosday.clock import Clock, SystemClock
from chaosday.errors import BlastRadiusExceeded, LeaseError, UnknownName, UsageError
from chaosday.model.clean import Clean
from chaosday.model.fault import Bite, Fault, FaultPlan, Met, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.record.journal import Journal
from chaosday.running.needs import need_capabilities
from chaosday.running.signals import StopSignals
from chaosday.undo.undoing import Attempt, undo
from chaosday.undo.watchdog import Watchdog

PLANNED, ARMING, ARMED, INJECTING, INJECTED, CLEAN = range(6)


@dataclass
class _Life:
    fault: Fault
    target: Target
    plan: FaultPlan
    stage: int = PLANNED
    beating: threading.Thread | None = None
    ending: bool = False
    sure_until_ns: int = 0
    """Until when the lease stands, by the last answer that it was armed or renewed."""
    seen: Clean | None = None


class Lifecycle:
    """Walks the faults of one run through their lives.

    ``targets`` maps the names that faults use to targets. ``max_affected`` is the blast radius: the most
    things that all open faults together may hurt, counted after selection.
    """

    def __init__(
        self,
        run: str,
        journal: Journal,
        targets: Mapping[str, Target],
        *,
        clock: Clock | None = None,
        seed: int = 0,
        max_affected: int = 1,
    ) -> None:
        self.run = run
        self.signals = StopSignals()
        self.interruptions: list[str] = []
        """What kept a fault from lasting as long as it was meant to: renewals that failed, in words."""
        self.watchdog: Watchdog | None = None
        """Told of what is planned, so that it is ready to undo it."""
        self._gone = ""
        self._journal = journal
        self._targets = targets
        self._clock = clock or SystemClock()
        self._seed = seed
        self._max_affected = max_affected
        self._lives: dict[str, _Life] = {}
        self._stop_beating = threading.Event()
        self._beats: tuple[float, int] | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.signals.handled())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            self.heal_all()

    def plan(self, fault: Fault) -> FaultPlan:
        """Resolve what would be hurt, check capabilities and blast radius, and journal the plan; touches nothing."""
        target = self._target(fault.target)
        need_capabilities(fault, target)
        plan = fault.plan(target, self._context())
        if not plan.affected:
            raise UsageError(f"{fault.kind} on {fault.target!r} resolves to nothing; there is nothing to hurt")
        self._check_radius(plan)
        self._journal.append(
            "planned",
            lease_id=plan.lease.id,
            fault=fault.model_dump(mode="json"),
            target_name=fault.target,
            target=target.public(),
            plan=plan.model_dump(mode="json"),
        )
        self._lives[plan.lease.id] = _Life(fault, target, plan)
        if self.watchdog is not None:
            self.watchdog.prepare(fault.kind, fault.target, target)
        return plan

    def arm(self, plan: FaultPlan) -> None:
        """Make the undo durable on the target's side; ``LeaseError`` means that nothing may be injected."""
        life = self._life(plan, PLANNED)
        self._check_radius(plan)
        self._journal.append("arming", lease_id=plan.lease.id)
        life.stage = ARMING
        asked_ns = self._clock.monotonic_ns()
        life.target.capability(LeaseHolder).arm(plan.lease)
        life.sure_until_ns = asked_ns + int(plan.lease.ttl_s * 1e9)
        self._journal.append("armed", lease_id=plan.lease.id)
        life.stage = ARMED
        self._start_beating(life)

    def inject(self, plan: FaultPlan) -> None:
        """Do the harm. The lease is renewed first: one that has fired would leave the fault without an end."""
        life = self._life(plan, ARMED)
        self._renew(life)
        if lost := self.lost():
            raise LeaseError(f"nothing was injected: {lost}")
        self._journal.append("injecting", lease_id=plan.lease.id)
        life.stage = INJECTING
        began_ns = self._clock.monotonic_ns()
        life.fault.inject(life.target, plan)
        slow = self._clock.monotonic_ns() - began_ns > plan.lease.ttl_s * 1e9 / 3
        if slow and not life.fault.ends_its_lease:
            # A lease that fired before the harm was done has undone nothing, and nothing else would end it.
            self._renew(life)
        self._journal.append("injected", lease_id=plan.lease.id)
        life.stage = INJECTED

    def attest(self, plan: FaultPlan) -> Bite:
        """Measure whether it hit."""
        life = self._life(plan, INJECTED)
        self._journal.append("attesting", lease_id=plan.lease.id)
        bite = life.fault.attest(life.target, plan)
        self._journal.append("attested", lease_id=plan.lease.id, bite=bite.model_dump(mode="json"))
        return bite

    def look(self, plan: FaultPlan) -> Bite | None:
        """Measure again, from any thread; None where there is nothing to look at: over by nature, or being undone."""
        life = self._lives[plan.lease.id]
        bite = life.fault.look(life.target, plan) if self._lasts(life) else None
        return bite if self._lasts(life) else None

    def met(self, plan: FaultPlan) -> Met | None:
        """What has met it so far, where somebody counts that."""
        life = self._lives[plan.lease.id]
        return life.fault.met(life.target, plan) if self._lasts(life) else None

    @staticmethod
    def _lasts(life: _Life) -> bool:
        return life.stage == INJECTED and not life.ending

    def abstain(self, plan: FaultPlan) -> Bite:
        """A placebo's turn in place of inject and attest: the lease is renewed, nothing is injected, and it is
        measured all the same. A bite here is the measurement's own noise."""
        life = self._life(plan, ARMED)
        self._renew(life)
        self._journal.append("abstaining", lease_id=plan.lease.id)
        bite = life.fault.attest(life.target, plan)
        self._journal.append("abstained", lease_id=plan.lease.id, bite=bite.model_dump(mode="json"))
        return bite

    def start_heartbeat(self, period_s: float = 0, *, limit_s: float = 3600) -> None:
        """Renew the lease of every fault that is armed now or later, until healed, for at most ``limit_s``.

        ``period_s`` 0 is a third of each lease. Each lease has a thread of its own, so that a target that
        hangs does not keep the others from being renewed. A renewal that fails is recorded, never raised.
        """
        if self._stop_beating.is_set():
            self._stop_beating = threading.Event()
        self._beats = (period_s, self._clock.monotonic_ns() + int(limit_s * 1e9))
        for life in self._lives.values():
            self._start_beating(life)

    def stop_heartbeat(self) -> None:
        """Let the leases run out by themselves: what a guard does that trips."""
        self._beats = None
        self._stop_beating.set()

    def lost(self) -> str:
        """Why a fault that is on may have ended without us, empty where none has: then nothing more may be hurt.

        Its lease is gone, or nobody who could end it is there any more, or it was not renewed in time, because its
        host gave no answer or because this very process stood still for so long.
        """
        if self._gone or self._beats is None:
            return self._gone
        now_ns = self._clock.monotonic_ns()
        for life in self._lives.values():
            # While it is undone nobody renews it; one whose undo failed is as lost as any. One that was undone while
            # another hurts the same target is over, though what was looked at is not as it was yet.
            over = life.ending and (life.seen is None or life.seen.undone)
            on = ARMED <= life.stage < CLEAN and not over
            if on and not life.fault.ends_its_lease and now_ns > life.sure_until_ns:
                late_s = (now_ns - life.sure_until_ns) / 1e9
                return f"the lease of {life.fault.kind} on {life.fault.target} ran out {late_s:.1f} s ago unrenewed"
        return ""

    def heal(self, plan: FaultPlan) -> Clean:
        """End one fault and look; any number of times."""
        life = self._lives[plan.lease.id]
        life.ending = True
        with self.signals.shielded():
            life.seen = undo(life.fault, life.target, plan, self._journal)
            if life.seen.clean:
                life.stage = CLEAN
        return life.seen

    def heal_all(self) -> list[Clean]:
        """End every fault of this run, last in first out, each whatever became of the others (G14).

        Returns one ``Clean`` a fault that was ever armed, in the order of arming; those healed before are
        not touched again.
        """
        self.stop_heartbeat()
        armed = [life for life in self._lives.values() if life.stage > PLANNED]
        with self.signals.shielded():
            for life in reversed(armed):
                if life.stage != CLEAN:
                    self.heal(life.plan)
            for life in armed:
                # Planned before the others hurt the same target, and looked at before they were ended: a route that
                # was made slow and then reset was still slow when the reset was undone.
                if len(armed) > 1 and life.seen is not None and life.seen.changed:
                    self.heal(life.plan)
        return [life.seen for life in armed if life.seen is not None]

    def fault_of(self, plan: FaultPlan) -> Fault:
        """The fault that was planned."""
        return self._lives[plan.lease.id].fault

    def open_plans(self) -> list[FaultPlan]:
        """Faults that were armed and not yet observed clean."""
        return [life.plan for life in self._lives.values() if PLANNED < life.stage < CLEAN]

    def _start_beating(self, life: _Life) -> None:
        if self._beats is None or life.stage not in (ARMED, INJECTING, INJECTED) or life.beating is not None:
            return
        life.beating = threading.Thread(target=self._beat, args=(life, *self._beats, self._stop_beating), daemon=True)
        life.beating.start()

    def _beat(self, life: _Life, period_s: float, until_ns: int, stop: threading.Event) -> None:
        lease = life.plan.lease
        period_s = period_s or lease.ttl_s / 3
        # An undo forgets the lease first and looks for a long time afterwards: nobody but us has ended it then.
        while not stop.wait(period_s) and not life.ending and self._clock.monotonic_ns() < until_ns:
            tried = Attempt(f"renewing {lease.fault} on {lease.target}")
            with tried:
                self._renew(life)
            if tried.error and not stop.is_set() and not life.ending:
                self.interruptions.append(tried.error)
                if tried.gone and not life.fault.ends_its_lease:
                    self._gone = self._gone or tried.error
                with Attempt("journal"):
                    self._journal.append("renew_failed", lease_id=lease.id, error=tried.error)

    def _renew(self, life: _Life) -> None:
        lease, asked_ns = life.plan.lease, self._clock.monotonic_ns()
        life.target.capability(LeaseHolder).renew(lease.id, lease.ttl_s)
        life.sure_until_ns = max(life.sure_until_ns, asked_ns + int(lease.ttl_s * 1e9))

    def _check_radius(self, plan: FaultPlan) -> None:
        # Things, not faults: a route that is slow and then reset is one thing that is hurt.
        plans = [plan, *(other for other in self.open_plans() if other.lease.id != plan.lease.id)]
        hurt = len({(each.lease.target, thing) for each in plans for thing in each.affected})
        if hurt > self._max_affected:
            raise BlastRadiusExceeded(
                f"{plan.lease.fault} resolves to {', '.join(plan.affected[:5])}: {hurt} hurt at once, "
                f"and the blast radius is {self._max_affected}; select fewer, or raise max_affected"
            )

    def _context(self) -> PlanContext:
        # Counted in the journal and not here: a seed is never used twice, whoever goes on with the run.
        number = sum(record.event == "planned" for record in self._journal.reading().records)
        seed = int.from_bytes(hashlib.sha256(f"{self._seed}/{number}".encode()).digest()[:6], "big")
        return PlanContext(
            run=self.run, lease_id=f"cd-{secrets.token_hex(8)}-{number:02d}", seed=seed, clock=self._clock
        )

    def _target(self, name: str) -> Target:
        if name not in self._targets:
            raise UnknownName(f"no target called {name!r}; there are {', '.join(self._targets) or 'none'}")
        return self._targets[name]

    def _life(self, plan: FaultPlan, stage: int) -> _Life:
        life = self._lives.get(plan.lease.id)
        if life is None or life.stage != stage:
            raise UsageError(f"{plan.lease.fault}: a life goes plan, arm, inject, attest, heal; a step was left out")
        return life
