"""The one place that walks faults through their lives: order, radius, and every undo attempted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from chaosday.clock import ManualClock
from chaosday.errors import BlastRadiusExceeded, CapabilityMissing, LeaseError, UnknownName, UsageError
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import Lease, LeaseHolder, LeaseState, Undo
from chaosday.model.target import Shell, Target
from chaosday.record.journal import Journal, open_faults, read
from chaosday.running.lifecycle import Lifecycle
from chaosday.running.signals import Stopped
from tests.running.waiting import until

pytestmark = pytest.mark.kernel


class Box:
    """A real, if small, world: a dictionary that faults put things into, and its leases."""

    def __init__(self) -> None:
        self.things: dict[str, str] = {"foreign": "stays"}
        self.held: dict[str, Lease] = {}
        self.renewals: list[str] = []
        self.healed: list[str] = []
        self.broken: set[str] = set()
        self.busy = 0
        """How often an undo fails before it works."""
        self.looked_at: Callable[[], object] = lambda: None
        """Called while somebody takes a slow look at what an undo left."""

    def arm(self, lease: Lease) -> None:
        self.held[lease.id] = lease

    def renew(self, lease_id: str, ttl_s: float) -> None:
        if lease_id not in self.held:
            raise LeaseError(f"lease {lease_id} is gone")
        self.renewals.append(lease_id)

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        self.healed.append(lease_id)
        if self.busy:
            self.busy -= 1
            raise LeaseError("an undo is still running; try again")
        if lease_id in self.broken:
            raise ZeroDivisionError("an undo with a mistake in it")
        self.things.pop(lease_id, None)
        self.held.pop(lease_id, None)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        return [f"{lease_id} in the box"] if lease_id in self.things else []

    def leases(self) -> list[LeaseState]:
        return [
            LeaseState(id=lease.id, run=lease.run, fault=lease.fault, remaining_s=1) for lease in self.held.values()
        ]


BOX = Box()


class BoxTarget(Target):
    kind: Literal["test_box"] = "test_box"
    password: SecretStr = SecretStr("hunter2")

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {LeaseHolder: BOX}

    def reach(self) -> str:
        return "a box"


class BoxFault(Fault):
    kind: Literal["test.box"] = "test.box"
    target: str = "box"
    hurts: int = 1
    first: int = 0
    whole: bool = False
    slow_s: float = 0

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        lease = self.lease(context, Undo(script=":"))
        one = Reading(value=0, unit="things", by="looking")
        affected = [f"thing {number}" for number in range(self.first, self.first + self.hurts)]
        return FaultPlan(lease=lease, affected=affected, snapshot={"things": dict(BOX.things)}, baseline=one)

    def inject(self, target: Target, plan: FaultPlan) -> None:
        BOX.things[plan.lease.id] = "ours"

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        now = Reading(value=len(BOX.things) - 1, unit="things", by="looking")
        return Bite(
            fault=self.kind, target=self.target, bit=now.value > 0, baseline=plan.baseline, during=now, why="looked"
        )

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        time.sleep(self.slow_s)
        BOX.looked_at()
        if self.whole:
            return {"things": dict(BOX.things)}
        return {"things": {name: thing for name, thing in BOX.things.items() if name in plan.snapshot["things"]}}


class LateFault(BoxFault):
    kind: Literal["test.late"] = "test.late"

    def inject(self, target: Target, plan: FaultPlan) -> None:
        """The lease fires while we stand still, and then the harm is done."""
        BOX.looked_at()
        BOX.held.clear()
        super().inject(target, plan)


class NeedsShell(BoxFault):
    kind: Literal["test.needs_shell"] = "test.needs_shell"
    requires = (Shell,)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Lifecycle]:
    BOX.__init__()  # type: ignore[misc]
    journal = Journal.create(tmp_path / "journal.jsonl", "run-1")
    return lambda **more: Lifecycle("run-1", journal, {"box": BoxTarget()}, **more)


def _events(tmp_path: Path) -> list[str]:
    return [record.event for record in read(tmp_path / "journal.jsonl").records]


def test_intent_is_written_before_every_act(made: Callable[..., Lifecycle], tmp_path: Path) -> None:
    """The journal holds the intent when the act itself fails."""
    life = made()
    plan = life.plan(BoxFault())
    life.arm(plan)
    BOX.held.clear()
    with pytest.raises(LeaseError):
        life.inject(plan)
    assert _events(tmp_path) == ["opened", "planned", "arming", "armed"]
    BOX.held[plan.lease.id] = plan.lease
    life.inject(plan)
    assert life.attest(plan).bit
    life.heal_all()
    assert _events(tmp_path)[4:] == ["injecting", "injected", "attesting", "attested", "healing", "healed", "clean"]


@pytest.mark.parametrize(("busy", "clean"), [(1, True), (2, True), (3, False)])
def test_an_undo_that_fails_is_tried_again(
    made: Callable[..., Lifecycle], tmp_path: Path, busy: int, clean: bool
) -> None:
    """Twice, with its reason in the journal; what counts is how it ended, and that there were more tries is said."""
    with made() as life:
        plan = life.plan(BoxFault())
        life.arm(plan)
        life.inject(plan)
        BOX.busy = busy
        (seen,) = life.heal_all()
    assert (seen.clean, len(seen.retried)) == (clean, min(busy, 2))
    assert ("tries" in seen.words) is clean
    assert _events(tmp_path).count("heal_again") == min(busy, 2)


def test_every_undo_is_attempted_last_in_first_out(made: Callable[..., Lifecycle], tmp_path: Path) -> None:
    """The first undo of five raises, with an error of no kind of ours: the other four are done (G14)."""
    life = made(max_affected=5)
    plans = [life.plan(BoxFault()) for _ in range(5)]
    for plan in plans:
        life.arm(plan)
        life.inject(plan)
    BOX.broken = {plans[4].lease.id}
    cleans = life.heal_all()
    assert list(dict.fromkeys(BOX.healed)) == [plan.lease.id for plan in reversed(plans)]
    assert [clean.clean for clean in cleans] == [True] * 4 + [False]
    assert "an undo with a mistake in it" in cleans[4].words
    assert list(BOX.things) == ["foreign", plans[4].lease.id]
    (left,) = open_faults(read(tmp_path / "journal.jsonl"))
    assert left.lease == plans[4].lease


def test_the_block_heals_however_it_is_left(made: Callable[..., Lifecycle]) -> None:
    """An exception in the middle of a run leaves nothing, and comes out unchanged."""
    with pytest.raises(ValueError, match="in the middle"), made() as life:
        plan = life.plan(BoxFault())
        life.arm(plan)
        life.inject(plan)
        raise ValueError("in the middle")
    assert list(BOX.things) == ["foreign"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_the_same_way(made: Callable[..., Lifecycle], number: int) -> None:
    """Each stopping signal comes out as Stopped, with everything healed and the old handlers back."""
    # Whoever starts the tests with nohup has SIGHUP ignored, and so would a run.
    inherited = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(Stopped) as stopped, made() as life:
            plan = life.plan(BoxFault())
            life.arm(plan)
            life.inject(plan)
            os.kill(os.getpid(), number)
            time.sleep(10)
        assert stopped.value.exit_code == 128 + number
        assert list(BOX.things) == ["foreign"]
        assert signal.getsignal(number) == signal.default_int_handler
    finally:
        signal.signal(number, inherited)


def test_a_second_signal_does_not_cut_the_undo_short(made: Callable[..., Lifecycle]) -> None:
    """Impatience while undoing is remembered, and everything is undone first."""
    life = made(max_affected=2)

    def impatient(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped), life:
        for _ in range(2):
            plan = life.plan(BoxFault())
            life.arm(plan)
            life.inject(plan)
        BOX.healed = type("Impatient", (list,), {"append": impatient})()
    assert list(BOX.things) == ["foreign"]


def test_two_faults_on_one_thing_hurt_one_thing(made: Callable[..., Lifecycle]) -> None:
    """The cap counts things, not faults; and each is seen clean although the other was still on when it was ended."""
    life = made(max_affected=1)
    plans = [life.plan(BoxFault(whole=True)) for _ in range(2)]
    for plan in plans:
        life.arm(plan)
        life.inject(plan)
    assert [clean.words for clean in life.heal_all()] == ["test.box on box: as it was"] * 2
    assert not life.open_plans()


def test_the_blast_radius_counts_what_is_open(made: Callable[..., Lifecycle]) -> None:
    """The cap is on what faults resolve to, together: one more is refused before anything is touched."""
    life = made(max_affected=3)
    with pytest.raises(BlastRadiusExceeded, match="4 hurt at once"):
        life.plan(BoxFault(hurts=4))
    first = life.plan(BoxFault(hurts=2))
    life.arm(first)
    with pytest.raises(BlastRadiusExceeded):
        life.plan(BoxFault(first=2, hurts=2))
    life.heal_all()
    assert life.plan(BoxFault(hurts=3)).affected == ["thing 0", "thing 1", "thing 2"]


def test_what_cannot_be_is_refused_before_anything_is_touched(made: Callable[..., Lifecycle], tmp_path: Path) -> None:
    """No such target, a capability missing, nothing resolved, steps left out: no lease, no harm, no journal entry."""
    life = made()
    refused = [
        (BoxFault(target="nowhere"), UnknownName),
        (NeedsShell(), CapabilityMissing),
        (BoxFault(hurts=0), UsageError),
    ]
    for fault, error in refused:
        with pytest.raises(error):
            life.plan(fault)
    assert _events(tmp_path) == ["opened"]
    plan = life.plan(BoxFault())
    for step in (life.inject, life.attest):
        with pytest.raises(UsageError, match="a step was left out"):
            step(plan)
    assert not BOX.held


def test_secrets_do_not_reach_the_journal(made: Callable[..., Lifecycle], tmp_path: Path) -> None:
    """A target's password is in no record."""
    made().plan(BoxFault())
    assert b"hunter2" not in (tmp_path / "journal.jsonl").read_bytes()


def test_a_failing_renewal_is_recorded_and_not_raised(made: Callable[..., Lifecycle], tmp_path: Path) -> None:
    """Heartbeats renew until the lease is lost; then the loss is on record, and nothing more is injected."""
    life = made(max_affected=2)
    plan = life.plan(BoxFault(ttl_s=60))
    life.arm(plan)
    life.start_heartbeat(0.01)
    until(lambda: len(BOX.renewals) > 3)
    BOX.held.clear()
    until(lambda: bool(life.lost()))
    later = life.plan(BoxFault(first=2))
    life.arm(later)
    with pytest.raises(LeaseError, match=r"nothing was injected.*is gone"):
        life.inject(later)
    life.heal_all()
    assert later.lease.id not in BOX.things
    assert "is gone" in life.interruptions[0]
    assert "renew_failed" in _events(tmp_path)


def test_an_undo_that_looks_for_long_is_no_lost_lease(made: Callable[..., Lifecycle]) -> None:
    """The lease is forgotten first and the target looked at afterwards: nobody renews what we ended ourselves, and the
    run goes on. What others changed is no undo that failed; one that did fail is lost once its lease has run out."""
    clock = ManualClock()
    life = made(clock=clock)
    life.start_heartbeat(0.005)
    plan = life.plan(BoxFault(slow_s=0.3, ttl_s=60))
    life.arm(plan)
    life.inject(plan)
    seen: list[str] = []
    BOX.looked_at = lambda: (clock.advance(300), seen.append(life.lost()))
    assert life.heal(plan).clean
    assert (seen, life.lost(), life.interruptions) == ([""], "", [])
    BOX.looked_at = lambda: None
    later = life.plan(BoxFault(whole=True, ttl_s=60))
    life.arm(later)
    life.inject(later)
    BOX.things["foreign"] = "changed"
    assert not life.heal(later).clean
    clock.advance(300)
    assert life.lost() == ""
    last = life.plan(BoxFault(ttl_s=60))
    life.arm(last)
    life.inject(last)
    BOX.busy = 3
    assert not life.heal(last).undone
    clock.advance(300)
    assert "unrenewed" in life.lost()


def test_harm_that_was_done_after_its_lease_fired_is_not_left(made: Callable[..., Lifecycle]) -> None:
    """A busy machine stands still between the renewal and the harm: the lease undid nothing, so the run does."""
    clock = ManualClock()
    life = made(clock=clock)
    plan = life.plan(LateFault(ttl_s=60))
    life.arm(plan)
    BOX.looked_at = lambda: clock.advance(61)
    with pytest.raises(LeaseError):
        life.inject(plan)
    BOX.looked_at = lambda: None
    life.heal_all()
    assert plan.lease.id not in BOX.things


def test_who_stood_still_for_longer_than_a_lease_injects_nothing(made: Callable[..., Lifecycle]) -> None:
    """Stopped and continued after the first fault: its lease has run out, whatever the heartbeat says by now."""
    clock = ManualClock()
    life = made(max_affected=2, clock=clock)
    first, later = life.plan(BoxFault(ttl_s=60)), life.plan(BoxFault(first=1, ttl_s=60))
    life.start_heartbeat(3600)
    life.arm(first)
    life.inject(first)
    clock.advance(59)
    assert life.lost() == ""
    clock.advance(6)
    assert "ran out 5.0 s ago" in life.lost()
    life.arm(later)
    with pytest.raises(LeaseError, match="nothing was injected"):
        life.inject(later)
    assert first.lease.id in BOX.things and later.lease.id not in BOX.things
    life.heal_all()


def test_one_heartbeat_is_enough_for_what_is_armed_later(made: Callable[..., Lifecycle]) -> None:
    """Faults armed after the start are renewed too, and all of it stops at once when a guard says so."""
    life = made(max_affected=2)
    before = threading.active_count()
    life.start_heartbeat(0.01)
    plans = [life.plan(BoxFault(ttl_s=60)) for _ in range(2)]
    for plan in plans:
        life.arm(plan)
    until(lambda: {plan.lease.id for plan in plans} == set(BOX.renewals))
    life.stop_heartbeat()
    until(lambda: threading.active_count() == before)
    life.heal_all()


def test_marks_are_never_used_twice(made: Callable[..., Lifecycle]) -> None:
    """A second walk through the same journal goes on counting."""
    first, second = made(), made()
    ids = [life.plan(BoxFault()).lease.id for life in (first, second, first)]
    assert len(set(ids)) == 3
