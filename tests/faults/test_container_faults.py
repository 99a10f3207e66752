"""Faults of containers: which ones are meant, what is refused, and the kernel's memory killer."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from chaosday.errors import BlastRadiusExceeded, ChaosdayError, ForeignState, UsageError
from chaosday.model.fault import Fault
from chaosday.record.journal import Journal
from chaosday.registry import member
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.local_host import LocalHost
from tests.lab import containers

pytestmark = pytest.mark.lab

GREEDY = (
    "while :; do [ -e /go ] && /bin/busybox awk 'BEGIN { s = \"x\"; while (1) s = s s }'; /bin/busybox sleep 0.1; done"
)


def _fault(kind: str, **fields: Any) -> Fault:
    made = member("faults", kind).model_validate({"target": "here", "ttl_s": 60, **fields})
    assert isinstance(made, Fault)
    return made


def _life(directory: Path) -> Lifecycle:
    target = LocalHost(state_dir=str(directory / "leases"))
    return Lifecycle("run", Journal.create(directory / "journal.jsonl", "run"), {"here": target})


def test_a_label_chooses_so_many(tmp_path: Path) -> None:
    """Of the containers with a label the first ``count`` are hurt, and the blast radius counts them."""
    label = f"app={uuid.uuid4().hex[:8]}"
    with containers.container(label=label) as one, containers.container(label=label) as two:
        first, second = sorted((one, two))
        with _life(tmp_path) as life:
            with pytest.raises(BlastRadiusExceeded):
                life.plan(_fault("container.pause", label=label, count=2))
            plan = life.plan(_fault("container.pause", label=label))
            assert plan.affected == [f"container {first}"]
            life.arm(plan)
            life.inject(plan)
            assert life.attest(plan).bit
            assert (containers.state_of(first), containers.state_of(second)) == ("paused", "running")
        assert containers.state_of(first) == "running"


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    """No name, no such container, one paused by somebody else, an engine that is not there."""
    with containers.container() as name:
        containers.podman("pause", name)
        cases: list[tuple[dict[str, Any], type[ChaosdayError], str]] = [
            ({}, UsageError, "name of a container"),
            ({"name": "no-such"}, UsageError, "has no container no-such"),
            ({"name": name}, ForeignState, "paused by somebody else"),
        ]
        with _life(tmp_path) as life:
            for fields, error, words in cases:
                with pytest.raises(error, match=words):
                    life.plan(_fault("container.kill", **fields))
        assert containers.state_of(name) == "paused"


def test_a_container_stopped_by_somebody_else_stays_stopped(tmp_path: Path) -> None:
    """Heal starts what we ended, and nothing that was removed or ended by others before we came to it."""
    with containers.container() as name, _life(tmp_path) as life:
        plan = life.plan(_fault("container.kill", name=name))
        life.arm(plan)
        containers.podman("stop", "-t", "0", name)
        assert life.heal(plan).words
        assert containers.state_of(name) == "exited"


def test_memory_taken_away_ends_a_greedy_container(tmp_path: Path) -> None:
    """A tightened limit on the container's control group lets the kernel kill what asks for more."""
    with containers.container(GREEDY) as name, _life(tmp_path) as life:
        plan = life.plan(_fault("host.cgroup_limit", pattern="s = s s", limit="memory", memory_mb=32))
        life.arm(plan)
        life.inject(plan)
        (containers.files_of(name) / "go").touch()
        until = time.monotonic() + 120
        while not (bite := life.attest(plan)).bit and time.monotonic() < until:
            time.sleep(0.1)
        assert bite.bit, bite.why
        assert containers.state_of(name) == "running"
