"""The process table: read through a shell, and processes that keep their identity."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from chaosday.errors import UsageError
from chaosday.processes.local_shell import LocalShell
from chaosday.processes.process_table import alive_script, identity, is_running, read_table, signal_script

pytestmark = pytest.mark.kernel

SHELL = LocalShell()
# Other test processes of this machine have families too.
NAME = f"odd) (name R {os.getpid()}"


@pytest.fixture
def family() -> Iterator[psutil.Process]:
    """A process with a child and a grandchild, its name full of brackets and blanks."""
    program = (
        "import subprocess, sys\n"
        "p = subprocess.Popen(['sh', '-c', 'sleep 601 & wait'])\nprint('up', flush=True)\np.wait()"
    )
    process = subprocess.Popen([NAME, "-c", program], executable=sys.executable, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    root = psutil.Process(process.pid)
    # By name, not by number: a child between fork and exec is one of two too, and a third came after it.
    while sorted(child.name() for child in root.children(recursive=True)) != ["sh", "sleep"]:
        pass
    yield root
    for child in [*root.children(recursive=True), root]:
        child.kill()
    process.wait()
    process.stdout.close()


def test_it_agrees_with_another_reader(family: psutil.Process) -> None:
    """Numbers, parents and descendants are those that psutil sees."""
    table = read_table(SHELL)
    tree = table.tree(family.pid)
    assert tree[0].pid == family.pid
    assert {row.pid for row in tree[1:]} == {child.pid for child in family.children(recursive=True)}
    assert table.rows[family.pid].parent == os.getpid()
    assert [row.pid for row in table.matching(rf"^odd\) \(name R {os.getpid()} ")] == [family.pid]


def test_an_identity_is_the_same_from_every_side(family: psutil.Process) -> None:
    """The table, the direct reading and the script's own check agree about one process, and not about a later one."""
    row = read_table(SHELL).rows[family.pid]
    assert row.identity.started == identity(family.pid).started
    assert is_running(row.identity)
    other = row.identity.model_copy(update={"started": "1@elsewhere"})
    assert SHELL.run(alive_script([row.identity, other])).out.splitlines() == [f"process {family.pid} still runs"]
    assert SHELL.run(signal_script([other], "KILL")).out == ""
    assert family.is_running()


def test_signals_reach_exactly_those_named(family: psutil.Process) -> None:
    """STOP and CONT act on the one, are seen in its state, and may be repeated."""
    victim = read_table(SHELL).rows[family.pid].identity
    for _ in range(2):
        assert SHELL.run(signal_script([victim], "STOP")).out.split() == [str(family.pid)]
    assert SHELL.run(alive_script([victim], state="T")).out.strip() == f"process {family.pid} is still in state T"
    assert {child.status() for child in family.children()} == {psutil.STATUS_SLEEPING}
    assert SHELL.run(signal_script([victim], "CONT")).out.split() == [str(family.pid)]
    assert SHELL.run(alive_script([victim], state="T")).out == ""


def test_a_zombie_does_not_run() -> None:
    """A dead process that nobody has looked at yet is not alive, under its own number or any other."""
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    row = read_table(SHELL).rows[process.pid]
    assert not row.alive
    assert not identity(process.pid).started
    assert SHELL.run(alive_script([row.identity])).out == ""
    process.wait()


def test_mistakes_are_said() -> None:
    """A pattern that is none, and a signal that is none."""
    with pytest.raises(UsageError, match="regular expression"):
        read_table(SHELL).matching("(")
    with pytest.raises(UsageError, match="no signal"):
        signal_script([], "NOPE")
