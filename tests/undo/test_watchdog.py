"""The watchdog ends what a dead run left, at once, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaosday.processes.local_shell import RUN_MARK
from chaosday.processes.process_table import identity
from chaosday.record.journal import Journal, read
from chaosday.record.key import run_mark
from chaosday.targets.local_process import LocalProcess
from chaosday.targets.ssh_host import SshHost
from chaosday.undo.watchdog import Watchdog

pytestmark = pytest.mark.lab

PATIENCE_S = 120.0

# A run that starts a process with a child of its own, one that only carries the mark, a forked child that outlives
# it (and would hold its pipes open), and a process that is no business of anybody's.
RUN = """
import os, subprocess, sys, time
from pathlib import Path
from chaosday.record.journal import Journal
from chaosday.record.key import run_mark
from chaosday.undo.watchdog import Watchdog
path = Path(sys.argv[1])
run = f"run-{os.getpid()}"
journal = Journal.create(path, run)
watchdog = Watchdog.start(run, path)
def start(*command, **environment):
    return subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True).pid
tree = start("sh", "-c", "sleep 600 & echo $! >$0; wait", str(path) + ".child")
while not Path(str(path) + ".child").exists() or not Path(str(path) + ".child").read_text():
    time.sleep(0.01)
child = Path(str(path) + ".child").read_text().strip()
watchdog.register_process(tree, first=sys.argv[2])
marked = start("sleep", "600", CHAOSDAY_RUN=run_mark(run))
foreign = start("sleep", "600", CHAOSDAY_RUN=run)
forked = os.fork()
if forked == 0:
    time.sleep(600)
watchdog.register_process(forked)
print(watchdog.pid, tree, child, marked, forked, foreign, flush=True)
sys.stdin.readline()
watchdog.close()
"""


def _runs(pid: int) -> bool:
    return bool(identity(pid).started)


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


@pytest.fixture
def cleanup() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("first", ["KILL", "TERM"])
def test_it_ends_the_processes_of_a_killed_run(tmp_path: Path, cleanup: list[int], first: str) -> None:
    """Registered trees and marked processes go with the run; another run's process stays; the journal tells of it."""
    journal = tmp_path / "journal.jsonl"
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(journal), first], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None and run.stdin is not None
    watchdog, tree, child, marked, forked, foreign = cleanup[:] = [int(word) for word in run.stdout.readline().split()]
    run.kill()
    run.wait()
    _until(lambda: not any(_runs(pid) for pid in (tree, child, marked, forked, watchdog)))
    assert _runs(foreign)
    last = read(journal).records[-1]
    assert last.event == "watchdog"
    said = " ".join(last.data["did"])
    assert all(f"ended process {pid} " in said for pid in (tree, marked, forked)), said
    run.stdout.close()
    run.stdin.close()


def test_told_that_all_is_well_it_goes_quietly(tmp_path: Path, cleanup: list[int]) -> None:
    """After ``close`` nothing is ended, and the watchdog is gone."""
    path = tmp_path / "journal.jsonl"
    Journal.create(path, "run-q").close()
    bystander = subprocess.Popen(["sleep", "600"], env={**os.environ, RUN_MARK: run_mark("run-q")})
    cleanup.append(bystander.pid)
    watchdog = Watchdog.start("run-q", path)
    watchdog.register_process(bystander.pid)
    watchdog.close()
    watchdog.close()
    _until(lambda: not _runs(watchdog.pid))
    assert _runs(bystander.pid)
    assert [record.event for record in read(path).records] == ["opened"]
    bystander.kill()
    bystander.wait()


def test_signals_to_it_do_not_end_it(tmp_path: Path) -> None:
    """Ctrl-C, SIGTERM and SIGHUP leave it standing, and it is nobody's child and in no group of ours."""
    path = tmp_path / "journal.jsonl"
    Journal.create(path, "run-s").close()
    watchdog = Watchdog.start("run-s", path)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(watchdog.pid, number)
    assert os.getsid(watchdog.pid) != os.getsid(0)
    assert os.getpgid(watchdog.pid) != os.getpgid(0)
    assert _runs(watchdog.pid)
    watchdog.close()
    _until(lambda: not _runs(watchdog.pid))


def test_what_an_undo_needs_is_ready_before_it_is_needed(tmp_path: Path) -> None:
    """Each fault's program is loaded and the target reached; one that cannot be reached holds up nothing."""
    program = (
        "import json, sys, time\n"
        "from chaosday.undo.readiness import Readiness\n"
        "ready = Readiness()\n"
        "ready.prepare('process.pause', 'away', {'kind': 'ssh_host', 'host': '127.0.0.1', 'port': 9, 'attempts': 1})\n"
        "ready.prepare('process.pause', 'here', json.loads(sys.argv[1]))\n"
        "ready.prepare('host.cpu', 'here', json.loads(sys.argv[1]))\n"
        "ready.prepare('process.pause', 'closed', json.loads(sys.argv[1]), reach=False)\n"
        "loaded = lambda: hasattr(sys.modules.get('chaosday.faults.host.cpu'), 'HostCpu')\n"
        "while 'here' not in ready.targets or not loaded(): time.sleep(0.01)\n"
        "before = set(sys.modules)\n"
        "from chaosday import registry\n"
        "registry.member('faults', 'process.pause'), registry.member('targets', 'local_process')\n"
        "print(sorted(ready.targets), set(sys.modules) - before)\n"
    )
    here = LocalProcess(pattern="none", state_dir=str(tmp_path)).model_dump_json()
    done = subprocess.run(
        [sys.executable, "-c", program, here], capture_output=True, text=True, check=True, timeout=200
    )
    assert done.stdout == "['here'] set()\n", done.stderr


@pytest.mark.parametrize(
    ("secrets", "reach"),
    [({}, True), ({"password": ""}, True), ({"password": "x"}, False), ({"sudo_password": "x"}, False)],
)
def test_a_target_that_has_secrets_is_not_logged_in_to_without_them(secrets: dict[str, str], reach: bool) -> None:
    """Its host would count each plan as a login that failed; what its undo needs is loaded all the same."""
    target = SshHost.model_validate({"host": "198.18.0.9", **secrets})
    says_it_again = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with says_it_again:
        assert says_it_again.stdout is not None
        Watchdog(says_it_again, says_it_again.pid).prepare("process.pause", "it", target)
        told = json.loads(says_it_again.stdout.readline())
    fields = target.public() if reach else {"kind": "ssh_host"}
    assert told == {"fault": "process.pause", "name": "it", "target": fields, "reach": reach}


def test_a_reused_number_is_spared(tmp_path: Path, cleanup: list[int]) -> None:
    """A registered process that is gone is not mistaken for a later one of its number."""
    from chaosday.model.target import ProcessIdentity
    from chaosday.undo.ending import end_processes

    later = subprocess.Popen(["sleep", "600"])
    cleanup.append(later.pid)
    earlier = ProcessIdentity(pid=later.pid, started="1@another-boot")
    assert end_processes("run-none", {later.pid: (earlier, "KILL")}) == []
    assert later.poll() is None
    later.kill()
    later.wait()
