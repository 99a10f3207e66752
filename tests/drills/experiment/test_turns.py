"""The turns of a schedule, one beside the other: what each waits for, what ends first, and what is not begun again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from chaosday.clock import SystemClock
from chaosday.drills.experiment.schedule import Schedule
from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import FaultAt, LogLine, When, parse
from chaosday.model.fault import FaultPlan
from chaosday.model.intent import Intent
from chaosday.model.target import Target
from chaosday.record.journal import read
from chaosday.record.run_directory import RunDirectory
from chaosday.running.live import LiveRun
from chaosday.safety.fencing import Fences
from chaosday.targets.local_host import LocalHost
from tests.drills.experiment.test_schedule import FILES, plain
from tests.running.test_lifecycle import BOX, BoxFault, BoxTarget

pytestmark = pytest.mark.kernel
LATER = {"at_s": 0, "for_s": 0.1, "times": 2, "pause_s": 0}


class Account(BoxTarget):
    """It holds many things, and fences each."""

    def fences(self, affected: Any) -> list[str]:
        return [f"account/{thing}" for thing in affected]


class Moving(BoxFault):
    """Each time it is planned it chooses another thing."""

    kind: Literal["test.moving"] = "test.moving"  # type: ignore[assignment]

    def plan(self, target: Target, context: Any) -> FaultPlan:
        number = int(context.lease_id.rpartition("-")[2])
        return super().plan(target, context).model_copy(update={"affected": [f"thing {number}"]})


class Loud(BoxFault):
    """It leaves a line in a log at the moment at which it hits."""

    kind: Literal["test.loud"] = "test.loud"  # type: ignore[assignment]
    log: str = ""

    def inject(self, target: Target, plan: FaultPlan) -> None:
        super().inject(target, plan)
        with Path(self.log).open("a") as file:
            file.write("hit\n")


def at(fault: BoxFault, **more: Any) -> FaultAt:
    """A fault of ours, which no file could name."""
    return FaultAt.model_construct(**{"at_s": 0, "when": None, "for_s": None, "until": None, "times": 1, "pause_s": 0,
                                      "fault": fault, **more})  # fmt: skip


Making = Callable[..., tuple[LiveRun, Schedule]]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Making]:
    BOX.__init__()  # type: ignore[misc]
    runs: list[LiveRun] = []

    def make(*asked: FaultAt, placebo: bool = False) -> tuple[LiveRun, Schedule]:
        here = LocalHost(state_dir=str(tmp_path / "leases"))
        targets: dict[str, Target] = {"box": BoxTarget(), "other": BoxTarget(), "account": Account(), "here": here}
        intent = Intent("turns", "none", 1, "test", targets, max_targets=9)
        run = LiveRun(intent, RunDirectory.create(tmp_path / "runs", "turns", SystemClock()))
        runs.append(run)
        for each in asked:
            run.plan(each.fault, each.at_s)
        run.hold(run.fences())
        return run, Schedule(run, list(asked), placebo=placebo)

    yield make
    for run in runs:
        run.looking.end(lambda: True, demanded=False)
        run.lifecycle.heal_all()
        run._holding.release()
        run.journal.close()


def injected(run: LiveRun, kind: str = "test.box") -> int:
    """How often faults of a kind were injected."""
    records = read(run.directory.journal_path).records
    kinds = {each.data["lease_id"]: each.data["fault"]["kind"] for each in records if each.event == "planned"}
    return sum(each.event == "injecting" and kinds[each.data["lease_id"]] == kind for each in records)


def test_what_could_not_be_undone_is_not_begun_again(made: Making) -> None:
    """Also while something else is on, on another target."""
    run, schedule = made(at(BoxFault(target="other")), at(Moving(), **LATER))
    BOX.broken.add(run.plans[1].plan.lease.id)
    schedule.inject()
    BOX.broken.clear()
    assert injected(run, "test.moving") == 1
    assert "is not begun again" in run.shortfalls[0]


def test_a_repeat_holds_what_it_will_hurt(made: Making, tmp_path: Path) -> None:
    """It is planned anew, and may hurt something else, which may be somebody else's by then."""
    fences = Fences(tmp_path / "runs" / "fences")
    run, schedule = made(at(Moving(target="account"), **LATER))
    fences.take("account/thing 1", "theirs")
    schedule.inject()
    assert injected(run, "test.moving") == 1
    assert "run theirs holds account/thing 1" in run.shortfalls[0]


def test_what_a_repeat_holds_besides_is_written_down(made: Making) -> None:
    """Once, and by a word of its own: the run began to hold what it hurts long before."""
    run, schedule = made(at(Moving(target="account"), **LATER))
    schedule.inject()
    held = [(each.event, each.data["fences"]) for each in read(run.directory.journal_path).records
            if each.event.startswith("holding")]  # fmt: skip
    assert held == [("holding", ["account/thing 0"]), ("holding_more", ["account/thing 1"])]


def test_the_line_that_a_fault_itself_causes_ends_it(made: Making, tmp_path: Path) -> None:
    """It comes while the fault is being injected."""
    log = tmp_path / "log"
    log.write_text("")
    line = When(log=LogLine(target="here", path=str(log), pattern="hit"), at_most_s=30)
    run, schedule = made(at(Loud(log=str(log)), until=line, times=2))
    schedule.inject()
    assert (injected(run, "test.loud"), run.shortfalls) == (2, [])


def test_a_repeat_waits_for_a_bite_of_its_own(made: Making) -> None:
    """What bit before it ended was what its first time had waited for."""
    bitten = When(bitten="test.box", at_most_s=0.5)
    run, schedule = made(at(BoxFault()), at(Moving(target="other"), **LATER | {"when": bitten}))
    schedule.inject()
    assert injected(run, "test.moving") == 1
    assert run.shortfalls == ["test.moving: waited 0.5 s for test.box has bitten; last seen: no fault"]


def test_in_a_placebo_what_was_left_out_counts_as_having_bitten(made: Making) -> None:
    """Or what waits for a bite would never have its turn."""
    bitten = When(bitten="test.box", at_most_s=30)
    run, schedule = made(at(BoxFault()), at(Moving(target="other"), when=bitten), placebo=True)
    schedule.inject()
    assert run.shortfalls == [] and [each.fault for each in run.abstained] == ["test.box", "test.moving"]


class Asked:
    """A condition that says when it was asked."""

    when = When(acknowledged=1)

    def __init__(self, asked: list[str], name: str, then: Callable[[], bool], late: bool = False) -> None:
        self._asked, self._name, self._then, self._late = asked, name, then, late

    def holds(self) -> bool:
        self._asked.append(self._name)
        return self._then()

    def late(self) -> bool:
        return self._late

    def missed(self) -> str:
        return "it came too late"


def test_a_run_that_has_to_end_asks_no_more(made: Making) -> None:
    """One question may take seconds: nobody waits for those of the others."""
    run, schedule = made(*(at(BoxFault(first=n), when=Asked.when) for n in range(3)))
    asked: list[str] = []
    for number, turn in enumerate(schedule._turns):
        turn.condition = Asked(asked, str(number), lambda: run.stop("aborted: by a guard") or False)  # type: ignore[assignment, func-returns-value]
    schedule.inject()
    assert asked == ["0"]


def test_what_has_its_time_ends_before_anything_is_waited_for(made: Making) -> None:
    """Whatever its place in the schedule."""
    _, schedule = made(at(BoxFault(), when=Asked.when), at(BoxFault(first=1), for_s=1e-9))
    asked: list[str] = []
    schedule._turns[0].condition = Asked(asked, "waiting", lambda: False)  # type: ignore[assignment]
    schedule._step()
    schedule._turns[0].condition = Asked(asked, "waiting", lambda: not schedule._turns[1].on)  # type: ignore[assignment]
    schedule._step()
    assert schedule._turns[0].on and asked == ["waiting", "waiting"]


def test_what_comes_too_late_has_not_come(made: Making) -> None:
    """Its time is looked at first."""
    run, schedule = made(at(BoxFault(), when=Asked.when))
    schedule._turns[0].condition = Asked([], "late", lambda: True, late=True)  # type: ignore[assignment]
    schedule.inject()
    assert (injected(run), run.shortfalls) == (0, ["test.box: it came too late"])


def test_a_fault_that_waits_for_itself_is_refused() -> None:
    """With another of its kind it is not."""
    waits = {"fault": FILES, "when": {"bitten": "data.files"}}
    with pytest.raises(InvalidExperiment, match="waits for itself"):
        parse(plain(faults=[waits]))
    assert parse(plain(faults=[waits, {"fault": FILES}]))
