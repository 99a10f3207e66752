"""Leases on many hosts, ended from a machine that never ran the experiment."""

from __future__ import annotations

import pytest

from chaosday.clock import SystemClock
from chaosday.model.fault import Fault, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.registry import member
from chaosday.undo.fleet import leases_on, recover_hosts
from tests.lab.pool import pool

pytestmark = pytest.mark.lab


def test_every_lease_is_found_and_ended_past_a_dead_host() -> None:
    """Two hosts with a fault each and one that does not answer: the two are healed, the third is told of."""
    lab = pool()
    with lab.victim() as one, lab.victim() as other:
        hurt = {host.name: lab.target(host) for host in (one, other)}
        for name, target in hurt.items():
            fault = member("faults", "host.disk_fill").model_validate(
                {"target": name, "path": "/srv/data", "size_mb": 1, "reserve_mb": 1, "ttl_s": 600}
            )
            assert isinstance(fault, Fault)
            context = PlanContext(run="gone", lease_id=f"cd-fleet-{name}", seed=1, clock=SystemClock())
            plan = fault.plan(target, context)
            target.capability(LeaseHolder).arm(plan.lease)
            fault.inject(target, plan)
            target.close()
        dead = lab.target(one, port=9, connect_timeout_s=0.5, attempts=1)
        fresh = {"dead": dead, **{host.name: lab.target(host) for host in (one, other)}}
        listed = leases_on(fresh)
        assert not listed["dead"].ok
        assert [[lease.fault for lease in listed[host.name].result or []] for host in (one, other)] == [
            ["host.disk_fill"]
        ] * 2
        done = recover_hosts(fresh)
        assert {(entry.target, entry.ok) for entry in done} == {("dead", False), (one.name, True), (other.name, True)}
        for host in (one, other):
            assert host.run("ls -A /srv/data | grep chaosday-cd || true") == ""
        assert all(entry.ok is False for entry in recover_hosts(fresh)), "nothing is left but the dead host"
        for target in fresh.values():
            target.close()
