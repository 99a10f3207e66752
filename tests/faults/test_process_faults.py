"""Which processes die or stand still, which do not, and who may start them again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaosday.errors import ForeignState, Refused, TargetUnreachable
from chaosday.faults.process.kill import ProcessKill
from chaosday.faults.process.pause import ProcessPause
from chaosday.model.clean import Clean
from chaosday.model.fault import Fault
from chaosday.model.lease import LeaseHolder
from chaosday.record.journal import Journal
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.local_process import LocalProcess

pytestmark = pytest.mark.lab

# Starts its child again whenever it dies, as a supervisor does, and writes its number down.
SUPERVISOR = """
import pathlib, subprocess, sys
while True:
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path(sys.argv[1]).write_text(f"{child.pid}\\nmore\\n")
    child.wait()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.create(tmp_path / "journal.jsonl", "run-1")


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        tree = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait()
        for child in tree:
            child.kill()


def _live(fault: Fault, target: LocalProcess, journal: Journal, **more: Any) -> tuple[bool, Clean]:
    with Lifecycle("run-1", journal, {"p": target}, **more) as life:
        plan = life.plan(fault)
        life.arm(plan)
        life.inject(plan)
        bit = life.attest(plan).bit
        (clean,) = life.heal_all()
    return bit, clean


def _state(tmp_path: Path) -> str:
    return str(tmp_path / "leases")


def test_a_tree_dies_with_its_root_and_counts_once(
    tmp_path: Path, journal: Journal, started: list[subprocess.Popen[bytes]]
) -> None:
    """A server and its children are one thing for the blast radius; with ``tree`` all of them die."""
    started.append(subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600 & wait"]))
    root = psutil.Process(started[0].pid)
    while len(root.children()) < 2:
        time.sleep(0.01)
    children = root.children()
    target = LocalProcess(pid=root.pid, tree=True, state_dir=_state(tmp_path))
    bit, clean = _live(ProcessKill(target="p", tree=True), target, journal, max_affected=1)
    assert bit and clean.clean
    assert clean.lasting == {"running": "killed with SIGKILL, by design"}
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_pattern_kills_no_more_than_the_count(
    tmp_path: Path, journal: Journal, started: list[subprocess.Popen[bytes]]
) -> None:
    """Two of five that match, chosen by the seed."""
    mark = f"chaos-victim-{os.getpid()}"
    started += [
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", mark], start_new_session=True)
        for _ in range(5)
    ]
    target = LocalProcess(pattern=mark, state_dir=_state(tmp_path))
    while len(target.processes()) < 5:
        time.sleep(0.01)
    fault = ProcessKill(target="p", pattern=mark, count=2)
    bit, clean = _live(fault, target, journal, max_affected=2)
    assert bit and clean.clean
    assert [code for process in started if (code := process.poll()) is not None] == [-9, -9]


@pytest.mark.parametrize(("within_s", "clean"), [(20, True), (0.3, False)])
def test_a_respawn_is_watched(
    tmp_path: Path, journal: Journal, started: list[subprocess.Popen[bytes]], within_s: float, clean: bool
) -> None:
    """Where a supervisor is expected to start it again, clean is when it did, and not when it did not."""
    pid_file = tmp_path / "pid"
    started.append(subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(pid_file)]))
    while not pid_file.exists() or not pid_file.read_text():
        time.sleep(0.01)
    first = pid_file.read_text()
    target = LocalProcess(pid_file=str(pid_file), state_dir=_state(tmp_path))
    if not clean:
        started[0].send_signal(19)
    bit, seen = _live(ProcessKill(target="p", respawn_within_s=within_s), target, journal)
    assert bit
    assert seen.clean is clean, seen.words
    assert (pid_file.read_text() != first) is clean


def test_a_declared_restart_is_the_undo(
    tmp_path: Path, journal: Journal, started: list[subprocess.Popen[bytes]]
) -> None:
    """The target says how it is started again; the lease does it, once, and only when it is down."""
    pid_file, count = tmp_path / "pid", tmp_path / "count"
    started.append(subprocess.Popen(["sleep", "600"]))
    pid_file.write_text(str(started[0].pid))
    restart = f"echo x >>{count}; sleep 600 >/dev/null 2>&1 </dev/null & echo $! >{pid_file}"
    target = LocalProcess(pid_file=str(pid_file), restart=restart, state_dir=_state(tmp_path))
    life = Lifecycle("run-1", journal, {"p": target})
    plan = life.plan(ProcessKill(target="p"))
    life.arm(plan)
    assert life.heal(plan).clean
    assert not count.exists(), "it was not down"
    bit, clean = _live(ProcessKill(target="p"), target, journal)
    assert bit and clean.clean and not clean.lasting
    for _ in range(3):
        target.capability(LeaseHolder).heal(plan.lease.id, plan.lease.undo)
    assert count.read_text() == "x\n"
    again = psutil.Process(int(pid_file.read_text()))
    assert again.pid != started[0].pid
    again.kill()


def test_what_somebody_else_stopped_is_refused(
    tmp_path: Path, journal: Journal, started: list[subprocess.Popen[bytes]]
) -> None:
    """Our undo would set a process going that another hand has stopped."""
    started.append(subprocess.Popen(["sleep", "600"]))
    started[0].send_signal(19)
    process = psutil.Process(started[0].pid)
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    target = LocalProcess(pid=process.pid, state_dir=_state(tmp_path))
    with pytest.raises(ForeignState, match="already stopped"):
        Lifecycle("run-1", journal, {"p": target}).plan(ProcessPause(target="p"))
    assert process.status() == psutil.STATUS_STOPPED


def test_nothing_to_hurt_is_said(tmp_path: Path, journal: Journal) -> None:
    """A pattern that matches nothing, a file that is not there: in words, before anything is armed."""
    life = Lifecycle("run-1", journal, {"p": LocalProcess(pattern="no such thing", state_dir=_state(tmp_path))})
    for fault in (
        ProcessKill(target="p"),
        ProcessKill(target="p", pid_file=str(tmp_path / "none")),
        ProcessPause(target="p", pattern="^no such thing$"),
    ):
        with pytest.raises(TargetUnreachable, match="nothing to hurt"):
            life.plan(fault)
    assert not (tmp_path / "leases").exists()


# Begets a child whenever its input has a line, and each child spins.
BEGETTER = """
import subprocess, sys
for line in sys.stdin:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    print(child.pid, flush=True)
"""


def test_those_born_after_the_plan_stand_still_as_well(
    tmp_path: Path, journal: Journal, started: list[subprocess.Popen[bytes]]
) -> None:
    """A child begotten between plan and pause is stopped with the others, and goes on with them; killed by tree too."""
    parent = subprocess.Popen([sys.executable, "-c", BEGETTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(parent)

    def begotten() -> psutil.Process:
        assert parent.stdin and parent.stdout
        parent.stdin.write(b"\n")
        parent.stdin.flush()
        return psutil.Process(int(parent.stdout.readline()))

    first = begotten()
    target = LocalProcess(pid=parent.pid, state_dir=_state(tmp_path))
    with Lifecycle("run-1", journal, {"p": target}) as life:
        plan = life.plan(ProcessPause(target="p"))
        life.arm(plan)
        second = begotten()
        life.inject(plan)
        bite = life.attest(plan)
        assert bite.bit and bite.during.value == 3, bite.why
        assert second.status() == psutil.STATUS_STOPPED
        second.send_signal(signal.SIGCONT)
        assert not life.attest(plan).bit, "one of them runs again"
        (clean,) = life.heal_all()
        assert clean.clean, clean.words
        assert psutil.STATUS_STOPPED not in {each.status() for each in (first, second, psutil.Process(parent.pid))}
    with Lifecycle("run-2", journal, {"p": target}) as life:
        plan = life.plan(ProcessKill(target="p", tree=True))
        life.arm(plan)
        third = begotten()
        life.inject(plan)
        assert life.attest(plan).bit
    gone, left = psutil.wait_procs([first, second, third], timeout=60)
    assert len(gone) == 3 and not left


def test_the_run_itself_and_what_started_it_are_no_target(tmp_path: Path, journal: Journal) -> None:
    """Neither by number nor as part of a tree; a pattern that our own arguments match passes us over."""
    ours = psutil.Process()
    for chosen in (ours, *ours.parents()):
        target = LocalProcess(pid=chosen.pid, state_dir=_state(tmp_path))
        with pytest.raises(Refused, match="has to heal it"):
            Lifecycle("run-1", journal, {"p": target}).plan(ProcessPause(target="p", tree=chosen != ours))
    mark = f"chaos-ancestor-{os.getpid()}"
    inner = (
        "from chaosday.mechanisms.hosts.process_choice import Choice, chosen\n"
        "from chaosday.targets.local_process import LocalProcess\n"
        f"choice = Choice(pid_file='', pattern='{mark}', tree=True, count=9, seed=1)\n"
        "print(chosen(LocalProcess(pid=1), choice, empty_is_fine=True))\n"
    )
    command = ["sh", "-c", '"$1" -c "$2"; : "$3"', "sh", sys.executable, inner, mark]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
