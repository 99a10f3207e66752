"""Every fault in the HTTP proxy, from the registry: bites, heals, ends by itself, and survives our death cleanly."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from chaosday.mechanisms.http_proxy.client import HttpRules
from chaosday.model.fault import Fault
from chaosday.model.lease import LeaseHolder
from chaosday.registry import members
from chaosday.targets.http_route import HttpRoute
from tests.faults.cloud.living import planned, struck

KINDS = sorted(kind for kind, fault in members("faults").items() if HttpRules in fault.requires)  # type: ignore[attr-defined]


def fault_of(kind: str, **fields: object) -> Fault:
    fault = members("faults")[kind].model_validate({"target": "route", **fields})
    assert isinstance(fault, Fault)
    return fault


def test_there_are_many() -> None:
    """The registry was really asked."""
    assert len(KINDS) >= 18


@pytest.mark.parametrize("kind", KINDS)
def test_bites_and_heals(route: HttpRoute, kind: str) -> None:
    """With a foreign lease on the same route that reads the same before and after five heals."""
    holder = route.capability(LeaseHolder)
    foreign = planned(fault_of("application.http.latency", path="/foreign"), route, number=99)
    holder.arm(foreign.lease)
    with struck(fault_of(kind), route) as (plan, bite):
        assert bite.bit, bite.why
    for _ in range(5):
        holder.heal(plan.lease.id)
    assert holder.residue(foreign.lease.id) == [f"route {route.route}: lease {foreign.lease.id}"]
    holder.heal(foreign.lease.id)


@pytest.mark.parametrize("kind", KINDS)
def test_heal_before_inject(route: HttpRoute, kind: str) -> None:
    """An armed fault that never struck heals to nothing."""
    fault = fault_of(kind)
    plan = planned(fault, route)
    route.capability(LeaseHolder).arm(plan.lease)
    for _ in range(5):
        fault.heal(route, plan.lease)
    assert fault.residue(route, plan.lease) == []
    assert fault.snapshot(route, plan) == plan.snapshot


CHILD = """
import os, sys
from pathlib import Path
from chaosday.registry import members
from chaosday.targets.http_route import HttpRoute
from chaosday.model.lease import LeaseHolder
from tests.faults.cloud.living import planned
route = HttpRoute(control=Path(sys.argv[1]), route=sys.argv[2])
point = 0
def step():
    global point
    point += 1
    if point == int(sys.argv[4]): os.kill(os.getpid(), 9)
fault = members("faults")[sys.argv[3]].model_validate({"target": "route", "ttl_s": 1.0})
plan = planned(fault, route); step()
route.capability(LeaseHolder).arm(plan.lease); step()
fault.inject(route, plan); step()
"""


@pytest.mark.parametrize("point", [1, 2, 3])
@pytest.mark.parametrize("kind", ["cloud.api.throttle", "application.http.hang"])
def test_our_death_leaves_nothing(route: HttpRoute, kind: str, point: int) -> None:
    """Killed with SIGKILL at each boundary, nobody heals: the proxy has ended everything by its own timer."""
    command = [sys.executable, "-c", CHILD, str(route.control), route.route, kind, str(point)]
    assert subprocess.run(command, check=False).returncode == -9
    holder = route.capability(LeaseHolder)
    deadline = time.monotonic() + 120
    while [state for state in holder.leases() if not state.healed]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert holder.residue("cd-test-0000") == []
    assert route.capability(HttpRules).ask("GET", "/", {}, timeout_s=10).status == 200
