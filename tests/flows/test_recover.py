"""The janitor, as a flow and as a command: what dead runs left is ended, and what cannot be reached is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from chaosday.clock import SystemClock
from chaosday.faults.process.pause import ProcessPause
from chaosday.model.fault import PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.targets.local_process import LocalProcess

pytestmark = [pytest.mark.lab]


@pytest.fixture
def paused(tmp_path: Path) -> Iterator[tuple[psutil.Process, Path]]:
    """A process paused under a lease of ten minutes, of which no journal knows, and a file that names it."""
    process = subprocess.Popen(["sleep", "600"])
    state = tmp_path / "leases"
    target = LocalProcess(pid=process.pid, state_dir=str(state))
    fault = ProcessPause(target="p", ttl_s=600)
    plan = fault.plan(target, PlanContext(run="gone", lease_id="cd-nobody-1", seed=1, clock=SystemClock()))
    target.capability(LeaseHolder).arm(plan.lease)
    fault.inject(target, plan)
    file = tmp_path / "targets.yaml"
    file.write_text(yaml.safe_dump({"targets": {"p": {**target.public()}}}))
    yield psutil.Process(process.pid), file
    process.kill()
    process.wait()


def test_the_flow_ends_leases_without_a_journal(
    prefect_api: None, runs: Path, paused: tuple[psutil.Process, Path]
) -> None:
    """A lease on a target is ended though this machine never ran the experiment; a second time there is nothing."""
    from flows.recover import recovery

    process, file = paused
    state = recovery(targets=[file], return_state=True)
    assert state.is_completed(), state.message
    assert process.status() != psutil.STATUS_STOPPED
    assert "0 dealt with" in str(recovery(targets=[file], return_state=True).message)


def test_the_command_lists_and_ends(tmp_path: Path, paused: tuple[psutil.Process, Path]) -> None:
    """--list shows the lease and leaves it; without it the lease is ended; nonsense is one line."""

    def recover(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chaosday", "recover", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    process, file = paused
    listed = json.loads(recover("--targets", str(file), "--list", "--json").stdout)
    assert [(each["fault"], each["lease_id"]) for each in listed] == [("process.pause", "cd-nobody-1")]
    assert process.status() == psutil.STATUS_STOPPED
    ended = recover("--targets", str(file))
    assert ended.returncode == 0, ended.stderr
    assert process.status() != psutil.STATUS_STOPPED
    assert recover("--list").stdout == "nothing was left to recover\n"
    for words in (["--list", "nowhere"], ["--targets", "nowhere.yaml"]):
        wrong = recover(*words)
        assert (wrong.returncode, len(wrong.stderr.strip().splitlines())) == (64, 1), wrong.stderr
