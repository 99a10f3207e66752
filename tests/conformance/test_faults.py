"""What every fault of the registry promises, on a real victim each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaosday import registry
from chaosday.errors import LeaseError
from chaosday.mechanisms.hosts.tools import PATH
from chaosday.model.fault import Fault, FaultPlan
from chaosday.model.lease import Lease, LeaseHolder
from chaosday.model.target import Shell, Target
from chaosday.processes import mark
from chaosday.record.journal import Journal, open_faults, read
from chaosday.running.lifecycle import Lifecycle
from chaosday.undo.recovery import recover
from tests.conformance.benches import BENCHES, WITH_SERVERS_OF_THEIR_OWN, Bench

pytestmark = pytest.mark.lab

FAULTS = [kind for kind in registry.members("faults") if not kind.startswith(WITH_SERVERS_OF_THEIR_OWN)]

OVER_AT_ONCE = {"process.kill", "container.kill", "host.reboot"}


@pytest.fixture(params=FAULTS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param not in BENCHES:
        pytest.fail(f"{request.param} has no bench: give it a real victim in tests/conformance/benches.py")
    with BENCHES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    opened = Journal.create(tmp_path / "run" / "journal.jsonl", "run-1")
    yield opened
    opened.close()


def _with(bench: Bench, **verbs: Any) -> Fault:
    """The bench's fault with some verbs replaced."""
    kind = type(bench.fault)
    return type(kind.__name__, (kind,), verbs)(**bench.fault.model_dump())


def _ended_by_somebody_else(bench: Bench, plan: FaultPlan) -> None:
    """What holds the fault dies, where something does; else its undo is run by somebody who is not the run."""
    shell = bench.target.capabilities().get(Shell)
    find = PATH + mark.find(plan.lease.id)
    if shell is not None and (held := shell.run(find, sudo=True).out.split()):
        while held:
            # A write that is under way goes on, and so does what was started between the two.
            shell.run(f"kill -9 {' '.join(held)}", sudo=True)
            held = shell.run(find, sudo=True).out.split()
    elif shell is not None and plan.lease.undo.script:
        shell.run(PATH + plan.lease.undo.script, sudo=True, stdin="")
    else:
        bench.target.capability(LeaseHolder).heal(plan.lease.id, plan.lease.undo)


def _missed(bench: Bench, plan: FaultPlan) -> None:
    """A look at the end finds that it is gone, unless it was over as soon as it was done."""
    look = bench.fault.look(bench.target, plan)
    assert (look is None) is (bench.fault.kind in OVER_AT_ONCE)
    assert look is None or not look.bit, look.why


def test_it_bites_and_ends(bench: Bench, journal: Journal) -> None:
    """The effect is there between inject and heal, by the bite and by a measurement of the test's own; that it was
    ended before its time, by whomever, does not escape a further look."""
    foreign = bench.foreign()
    assert not bench.hurt()
    with Lifecycle("run-1", journal, bench.targets) as life:
        plan = life.plan(bench.fault)
        life.arm(plan)
        life.start_heartbeat()
        assert not bench.hurt(), "armed is not injected"
        life.inject(plan)
        bite = life.attest(plan)
        assert bite.bit, bite.why
        assert bench.hurt()
        life.stop_heartbeat()
        assert not life.interruptions
        _ended_by_somebody_else(bench, plan)
        _missed(bench, plan)
        assert bench.foreign() == foreign
        (clean,) = life.heal_all()
    assert clean.clean, clean.words
    assert bench.hurt() is bench.stays
    assert bench.foreign() == foreign
    assert open_faults(read(journal.path)) == []
    assert bench.target.capability(LeaseHolder).residue(plan.lease.id, plan.lease.undo) == []


def test_heal_is_idempotent_and_safe_before_inject(bench: Bench, journal: Journal) -> None:
    """Five heals in a row, before an injection and after one, change nothing but the fault (G3)."""
    foreign = bench.foreign()
    life = Lifecycle("run-1", journal, bench.targets)
    early = life.plan(bench.fault)
    for _ in range(5):
        bench.fault.heal(bench.target, early.lease)
    life.arm(early)
    for _ in range(5):
        assert life.heal(early).clean
    assert not bench.hurt()
    late = life.plan(bench.fault)
    life.arm(late)
    life.inject(late)
    for _ in range(5):
        assert life.heal(late).clean
    assert bench.hurt() is bench.stays
    assert bench.foreign() == foreign


def test_a_fresh_process_heals_from_the_journal(bench: Bench, journal: Journal) -> None:
    """The journal alone is enough to end a fault, for a process that never saw it."""
    life = Lifecycle("run-1", journal, bench.targets)
    plan = life.plan(bench.fault.model_copy(update={"ttl_s": 600}))
    life.arm(plan)
    life.inject(plan)
    program = (
        "import sys; from pathlib import Path; from chaosday.record.journal import Journal, open_faults\n"
        "from chaosday.undo.recovery import heal_open\n"
        "journal = Journal.resume(Path(sys.argv[1]))\n"
        "did = [heal_open(fault, {}, journal, 'test') for fault in open_faults(journal.reading())]\n"
        "print([entry.ok for entry in did])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(journal.path)], capture_output=True, text=True, check=False
    )
    assert said.stdout.strip() == "[True]", said.stderr
    assert bench.hurt() is bench.stays
    assert open_faults(read(journal.path)) == []


def test_it_refuses_to_inject_when_its_lease_has_fired(bench: Bench, journal: Journal) -> None:
    """A fault whose undo has run already would have no end, so it is not begun (G1)."""
    life = Lifecycle("run-1", journal, bench.targets)
    plan = life.plan(bench.fault)
    life.arm(plan)
    bench.target.capability(LeaseHolder).heal(plan.lease.id, plan.lease.undo)
    with pytest.raises(LeaseError):
        life.inject(plan)
    assert not bench.hurt()
    assert all(clean.clean for clean in life.heal_all())


def test_a_heal_that_does_nothing_is_not_clean(bench: Bench, journal: Journal) -> None:
    """Clean means observed clean: a heal stubbed to a no-op, or to raise, leaves the fault open (G4)."""

    def nothing(self: Fault, target: Target, lease: Lease) -> None: ...

    def raising(self: Fault, target: Target, lease: Lease) -> None:
        raise RuntimeError("no such luck")

    for broken in (nothing, raising):
        life = Lifecycle("run-1", journal, bench.targets)
        plan = life.plan(_with(bench, heal=broken).model_copy(update={"ttl_s": 600.0}))
        life.arm(plan)
        (clean,) = life.heal_all()
        assert not clean.clean
        assert clean.errors if broken is raising else clean.residue
        assert [fault.stage for fault in open_faults(read(journal.path))] == ["not_clean"]
        bench.fault.heal(bench.target, plan.lease)
        journal.append("clean", lease_id=plan.lease.id)


def test_no_effect_is_no_bite(bench: Bench, journal: Journal) -> None:
    """An injection that does nothing is told from one that does (G5)."""

    def nothing(self: Fault, target: Target, plan: FaultPlan) -> None: ...

    verbs: dict[str, Any] = {"inject": nothing}
    fault = _with(bench, **verbs)
    if "grace_s" in type(fault).model_fields:
        fault = fault.model_copy(update={"grace_s": 0.0})
    with Lifecycle("run-1", journal, bench.targets) as life:
        plan = life.plan(fault)
        life.arm(plan)
        life.inject(plan)
        assert not life.attest(plan).bit


def test_a_living_run_is_left_alone(bench: Bench, journal: Journal) -> None:
    """Recovery does not end the faults of a run that is still going on."""
    life = Lifecycle("run-1", journal, bench.targets)
    plan = life.plan(bench.fault.model_copy(update={"ttl_s": 600.0}))
    life.arm(plan)
    did = recover([journal.path], bench.targets)
    assert ["still runs" in entry.words for entry in did if entry.run == "run-1"] == [True]
    assert plan.lease.id in {lease.id for lease in bench.target.capability(LeaseHolder).leases()}
    life.heal_all()
