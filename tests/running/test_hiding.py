"""What a later fault may hide is reported and not denied; what it cannot hide and is gone is denied, whatever came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from chaosday.clock import ManualClock, SystemClock
from chaosday.faults.host.memory import HostMemory
from chaosday.faults.network.latency import NetworkLatency
from chaosday.faults.process.pause import ProcessPause
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.intent import Intent
from chaosday.model.lease import Lease, LeaseHolder, LeaseState, Undo
from chaosday.model.target import Target
from chaosday.record.journal import read
from chaosday.record.run_directory import RunDirectory
from chaosday.running import looking
from chaosday.running.hiding import Placed, may_hide
from chaosday.running.live import LiveRun
from chaosday.targets.http_route import HttpRoute
from chaosday.targets.local_host import LocalHost
from chaosday.targets.local_process import LocalProcess
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.proxy_route import ProxyRoute
from chaosday.targets.ssh_host import SshHost
from tests.running.waiting import until

pytestmark = pytest.mark.kernel

TARGETS: dict[str, Target] = {
    "web": SshHost(host="10.0.0.1"),
    "web again": SshHost(host="10.0.0.1", labels={"a": "b"}),
    "db": SshHost(host="10.0.0.2"),
    "named": SshHost(host="db.example"),
    "other name": SshHost(host="ftp.example"),
    "behind": SshHost(host="10.0.0.3", jump="root@10.0.0.1:22"),
    "rows": PostgreSQL(host="10.0.0.2"),
    "local rows": PostgreSQL(),
    "front": ProxyRoute(upstream="10.0.0.2:5432"),
    "http": HttpRoute(),
    "here": LocalHost(),
    "one process": LocalProcess(pid=1),
    "other process": LocalProcess(pid=2),
}


@pytest.mark.parametrize(
    ("later", "earlier", "may"),
    [
        ("web", "web", True),
        ("web", "web again", True),
        ("db", "web", False),
        ("web", "db", False),
        ("web", "named", True),
        ("other name", "named", False),
        ("web", "behind", True),
        ("db", "rows", True),
        ("web", "rows", False),
        ("db", "front", True),
        ("front", "local rows", True),
        ("db", "local rows", True),
        ("front", "db", True),
        ("web", "local rows", False),
        ("web", "http", True),
        ("one process", "local rows", True),
        ("one process", "other process", False),
        ("one process", "db", False),
        ("db", "one process", False),
        ("here", "db", True),
        ("db", "here", False),
    ],
)
def test_on_one_thing_or_on_the_way_to_it(later: str, earlier: str, may: bool) -> None:
    """One target, one machine, a host to go through, a route that leads there, a name that may be a number's."""

    def placed(name: str) -> Placed:
        kind = ProcessPause if "process" in name else HostMemory
        return Placed(kind(target=name), TARGETS[name])

    assert may_hide(placed(later), placed(earlier), TARGETS.values()) is may


def test_whom_a_fault_names_it_may_hide() -> None:
    """A host that is cut off from another is on the way to it, and one that measures against it needs it."""
    memory = Placed(HostMemory(target="db"), TARGETS["db"])
    naming = Placed(NetworkLatency.model_validate({"target": "web", "peers": ["10.0.0.2"]}), TARGETS["web"])
    assert may_hide(naming, memory, TARGETS.values())
    assert may_hide(memory, naming, TARGETS.values())


LIT: dict[str, bool] = {}
"""Lamps that a fault has put out, and whether one can see that."""
MEANWHILE: dict[str, Callable[[], object]] = {}
"""What happens while a fault is injected, or looked at."""


class Switches:
    def arm(self, lease: Lease) -> None: ...

    def renew(self, lease_id: str, ttl_s: float) -> None: ...

    def heal(self, lease_id: str, undo: Undo | None = None) -> None: ...

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        return []

    def leases(self) -> list[LeaseState]:
        return []


class Lamp(Target):
    kind: Literal["test_lamp"] = "test_lamp"
    host: str = ""

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {LeaseHolder: Switches()}

    def reach(self) -> str:
        return "a lamp"


class Out(Fault):
    kind: Literal["test.out"] = "test.out"
    look_every_s = 0.005

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        nothing = Reading(value=0, unit="lamps", by="looking")
        return FaultPlan(lease=self.lease(context, Undo(script=":")), affected=[self.target], baseline=nothing)

    def inject(self, target: Target, plan: FaultPlan) -> None:
        LIT[self.target] = True
        MEANWHILE.get("inject", lambda: None)()

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        seen = Reading(value=LIT[self.target], unit="lamps", by="looking")
        bit = LIT[self.target]
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=seen, why="looked")

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        MEANWHILE.get("look", lambda: None)()
        return self.attest(target, plan)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        return {}


class SeldomOut(Out):
    kind: Literal["test.seldom_out"] = "test.seldom_out"  # type: ignore[assignment]
    look_every_s = 1000


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., LiveRun]]:
    """A run on two lamps of two hosts, and a third target that is the first one's host."""
    LIT.clear()
    MEANWHILE.clear()
    runs: list[LiveRun] = []

    def make(**more: Any) -> LiveRun:
        targets = {"left": Lamp(host="a"), "right": Lamp(host="b"), "host of left": SshHost(host="a")}
        intent = Intent("lamps", "", 1, "", targets, max_targets=9)
        runs.append(LiveRun(intent, RunDirectory.create(tmp_path / "runs", "lamps", SystemClock()), **more))
        return runs[-1]

    yield make
    for run in runs:
        run.lifecycle.heal_all()
        run.journal.close()


def _unseen(run: LiveRun, target: str) -> int:
    """How often it was looked at and not found."""
    looked = [each.data for each in read(run.directory.journal_path).records if each.event == "looked"]
    return sum(each["target"] == target and not each["found"] for each in looked)


@pytest.mark.parametrize(("later", "hidden"), [("right", False), ("left", True)])
def test_what_is_gone_is_denied_unless_it_may_be_hidden(made: Callable[..., LiveRun], later: str, hidden: bool) -> None:
    """Gone while a fault is on elsewhere: no bite. While one is on the same target: said, with since when."""
    run = made()
    first = run.strike(run.plan(Out(target="left")))
    run.strike(run.plan(SeldomOut(target=later)))
    LIT["left"] = False
    until(lambda: _unseen(run, "left") > 0)
    run.looking.end(lambda: False, demanded=False)
    told = run.looking.told(first)
    assert told.bit is hidden
    assert (told.gone_after_s is None) is hidden
    assert ("not seen any more since" in told.why and "test.seldom_out was on later as well" in told.why) is hidden
    assert f"in each of {told.looks} looks" not in told.why


def test_what_is_hidden_while_the_later_one_is_injected_is_not_denied(made: Callable[..., LiveRun]) -> None:
    """An injection takes its time, and looks that fall into it find the earlier fault hidden already."""
    run = made()
    first = run.strike(run.plan(Out(target="left")))

    def slowly() -> None:
        LIT["left"] = False
        until(lambda: _unseen(run, "left") > 0)
        LIT["left"] = True

    MEANWHILE["inject"] = slowly
    run.strike(run.plan(SeldomOut(target="left")))
    run.looking.end(lambda: False, demanded=False)
    assert run.looking.told(first).bit


def test_last_looks_are_taken_together(made: Callable[..., LiveRun]) -> None:
    """None waits for another: each of these ends only once all have begun."""
    run, all_of_them = made(), threading.Barrier(2)
    MEANWHILE["look"] = lambda: all_of_them.wait(50)
    bites = [run.strike(run.plan(SeldomOut(target=name))) for name in ("left", "right")]
    run.looking.end(lambda: False, demanded=False)
    assert [run.looking.told(bite).looks for bite in bites] == [2, 2]
    assert all(run.looking.told(bite).bit for bite in bites)


def test_a_slow_look_has_the_time_that_it_takes(made: Callable[..., LiveRun], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who took long to be measured at first is waited for at the end."""
    clock = ManualClock()
    run = made(clock=clock)
    monkeypatch.setattr(looking, "LAST_LOOK_S", 0.01)
    measure = Out.attest
    monkeypatch.setattr(Out, "attest", lambda *asked: (clock.advance(100), measure(*asked))[1])
    MEANWHILE["look"] = lambda: time.sleep(0.2)
    bite = run.strike(run.plan(SeldomOut(target="left", ttl_s=3600)))
    run.looking.end(lambda: False, demanded=False)
    assert run.looking.told(bite).bit, run.looking.told(bite).why
