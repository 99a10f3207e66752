"""lease.sh: an undo with a deadline that runs without us, under every sh that is here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import resources
from pathlib import Path

import pytest

from chaosday.errors import LeaseError, UsageError
from chaosday.model.lease import Lease, Undo
from chaosday.model.target import ShellResult
from chaosday.processes.local_shell import LocalShell
from chaosday.undo.lease import ShellLeases

pytestmark = pytest.mark.lab

PATIENCE_S = 120.0
SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(shutil.which(name.split()[0]) is None, reason=f"no {name} here"))
    for name in ("dash", "bash --posix", "busybox sh")
]


class Through:
    """A shell that runs everything, watchers included, through the given ``sh``."""

    def __init__(self, command: str, bin_dir: Path) -> None:
        bin_dir.mkdir()
        first, *more = command.split()
        sh = bin_dir / "sh"
        sh.write_text(f'#!/bin/sh\nexec {shutil.which(first)} {" ".join(more)} "$@"\n')
        sh.chmod(0o755)
        self._path = bin_dir
        self._shell = LocalShell()

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        wrapped = f"PATH={self._path}:$PATH; export PATH\n{script}"
        return self._shell.run(wrapped, timeout_s=timeout_s, stdin=stdin, sudo=sudo)


class Ground:
    """A state directory, and a thing that the undo takes away."""

    def __init__(self, path: Path, command: str = "sh") -> None:
        self.state = path / "chaosday" / "leases"
        self.thing = path / "thing"
        self.path = path
        self.leases = ShellLeases(Through(command, path / "bin"), str(self.state))

    def lease(self, ttl_s: float, script: str = "", number: int = 1) -> Lease:
        undo = Undo(script=script or f"rm -f {self.thing}", residue_script=f"[ ! -e {self.thing} ] || echo thing")
        return Lease(id=f"cd-test-{number}", run="run-1", fault="test.thing", target="t", undo=undo, ttl_s=ttl_s)

    def watchers(self) -> list[int]:
        return [int(file.read_text()) for file in self.state.glob("cd-*/watcher")]


@pytest.fixture(params=SHELLS)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, request.param)
    yield made
    for watcher in made.watchers():
        os.kill(watcher, signal.SIGKILL)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    yield made
    for watcher in made.watchers():
        os.kill(watcher, signal.SIGKILL)


def _until(condition: object) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["undo/lease.sh", "undo/safe.sh", "lab/vm_build.sh"])
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    """POSIX sh, no warning of any level."""
    with resources.as_file(resources.files("chaosday").joinpath(name)) as script:
        done = subprocess.run(
            [Path(sys.executable).parent / "shellcheck", "-s", "sh", "-S", "style", script],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "")


def test_an_undo_is_kept_to_the_byte(ground: Ground) -> None:
    """Blanks, backslashes, empty lines and per cents of it, and the words that part it from the residue script, which
    may have a line like them itself."""
    script = "  echo 'a\\tb\\\\c' '%s' \\\n\t'd '\n\n[ -n x ]\n"
    lease = ground.lease(ttl_s=600, script=script)
    seen = Undo(script=script, residue_script="echo a\n\n--residue--() { :; }\n# \\n")
    ground.leases.arm(lease.model_copy(update={"undo": seen}))
    stored = ground.state / lease.id
    assert (stored / "undo").read_text() == f"# undo of {lease.id}\n{script}\n"
    assert (stored / "residue").read_text() == f"{seen.residue_script}\n"


def test_it_fires_by_itself_and_leaves_nothing(ground: Ground) -> None:
    """At the deadline the undo runs, and then lease, watcher, script and directory are gone."""
    ground.thing.touch()
    ground.leases.arm(ground.lease(ttl_s=600))
    (watcher,) = ground.watchers()
    (state,) = ground.leases.leases()
    assert (state.id, state.run, state.fault) == ("cd-test-1", "run-1", "test.thing")
    assert "clock=uptime" in state.detail or "clock=wall" in state.detail
    ground.leases.renew("cd-test-1", 0.1)  # so that what was looked at until now may have taken any time
    _until(lambda: not ground.thing.exists() and not ground.state.parent.exists())
    _until(lambda: not _runs(watcher))
    with pytest.raises(LeaseError, match="fired or was healed"):
        ground.leases.renew("cd-test-1", 5)


def test_renewals_hold_it_and_heal_ends_it(ground: Ground) -> None:
    """It outlives its first deadline once renewed; heal runs the undo, any number of times, and ends the watcher."""
    for ttl_s in (0.5, 4.0, 32.0):
        ground.thing.touch()
        lease = ground.lease(ttl_s=ttl_s)
        ground.leases.arm(lease)
        try:
            ground.leases.renew(lease.id, 600)
        except LeaseError:  # on a machine as slow as that it has fired; then with a longer one
            _until(lambda: not ground.state.parent.exists())
        else:
            break
    (watcher,) = ground.watchers()
    time.sleep(ttl_s + 0.3)
    assert ground.thing.exists()
    assert ground.leases.residue(lease.id, lease.undo) == ["thing", "lease cd-test-1 is still stored (armed)"]
    for _ in range(5):
        ground.leases.heal(lease.id, lease.undo)
        assert ground.leases.residue(lease.id, lease.undo) == []
    assert not ground.state.parent.exists()
    _until(lambda: not _runs(watcher))


def test_a_failing_undo_is_tried_again(ground: Ground) -> None:
    """Heal says why it failed and keeps the lease; the watcher tries until it works."""
    ground.thing.touch()
    gate = ground.path / "gate"
    script = f"[ -e {gate} ] || {{ echo the gate is closed; exit 3; }}; rm -f {ground.thing}"
    lease = ground.lease(ttl_s=600, script=script)
    ground.leases.arm(lease)
    with pytest.raises(LeaseError, match="the gate is closed"):
        ground.leases.heal(lease.id, lease.undo)
    (state,) = ground.leases.leases()
    assert state.remaining_s <= 0 and "the gate is closed" in state.detail
    gate.touch()
    _until(lambda: not ground.thing.exists() and not ground.leases.leases())


def test_a_lease_from_before_a_reboot_is_overdue(plain: Ground) -> None:
    """Another boot id: whatever its clock says, it is overdue, said so, and healed."""
    plain.thing.touch()
    lease = plain.lease(ttl_s=600)
    plain.leases.arm(lease)
    (watcher,) = plain.watchers()
    os.kill(watcher, signal.SIGKILL)
    _until(lambda: not _runs(watcher))
    deadline = plain.state / lease.id / "deadline"
    _, clock, when = deadline.read_text().split()
    deadline.write_text(f"another-boot {clock} {when}\n")
    (state,) = plain.leases.leases()
    assert state.remaining_s < 0
    assert "before a reboot" in state.detail and "no watcher" in state.detail
    plain.leases.heal(lease.id)
    assert not plain.thing.exists()


def test_a_dead_watcher_is_found_by_renewal(plain: Ground) -> None:
    """A lease that can no longer fire by itself must not look alive."""
    lease = plain.lease(ttl_s=600)
    plain.leases.arm(lease)
    (watcher,) = plain.watchers()
    os.kill(watcher, signal.SIGKILL)
    _until(lambda: not _runs(watcher))
    with pytest.raises(LeaseError, match="watcher"):
        plain.leases.renew(lease.id, 5)
    plain.leases.heal(lease.id, lease.undo)


def test_a_lock_of_the_dead_is_taken_over(plain: Ground) -> None:
    """A healer that was killed in the middle leaves its lock; the next one does not wait for it for ever."""
    plain.thing.touch()
    lease = plain.lease(ttl_s=600)
    plain.leases.arm(lease)
    dead = subprocess.Popen(["true"])
    dead.wait()
    for holder in (str(dead.pid), ""):
        lock = plain.state / lease.id / "lock"
        lock.mkdir()
        (lock / "pid").write_text(holder)
        plain.leases.renew(lease.id, 600)
        assert not lock.exists()
    plain.leases.heal(lease.id, lease.undo)
    assert not plain.thing.exists()


def test_an_unstored_undo_runs_all_the_same(plain: Ground) -> None:
    """A fault injected after its lease fired is ended by the undo that the journal remembers."""
    plain.thing.touch()
    lease = plain.lease(ttl_s=5)
    plain.leases.heal(lease.id, lease.undo)
    assert not plain.thing.exists()
    assert not plain.state.exists()


def test_arming_twice_is_refused(plain: Ground) -> None:
    """The same mark is not used for two things at once."""
    lease = plain.lease(ttl_s=600)
    plain.leases.arm(lease)
    with pytest.raises(LeaseError, match="already armed"):
        plain.leases.arm(lease)
    plain.leases.heal(lease.id, lease.undo)


def test_words_that_would_break_the_listing_are_refused(plain: Ground) -> None:
    """A run or fault name with a blank, and an undo with the separator in it, never reach the target."""
    lease = plain.lease(ttl_s=5)
    for wrong in (
        lease.model_copy(update={"run": "two words"}),
        lease.model_copy(update={"undo": Undo(script="a\n--residue--\nb")}),
    ):
        with pytest.raises(UsageError):
            plain.leases.arm(wrong)
    assert not plain.state.exists()


def test_many_at_once_do_not_disturb_each_other(plain: Ground) -> None:
    """Twelve leases at once, each healed by three threads: every undo ran, and nothing is left."""

    def one(number: int) -> bool:
        thing = plain.path / f"thing-{number}"
        thing.touch()
        lease = plain.lease(ttl_s=60, script=f"rm -f {thing}", number=number)
        plain.leases.arm(lease)
        plain.leases.renew(lease.id, 60)
        with ThreadPoolExecutor(3) as healers:
            list(healers.map(lambda _: plain.leases.heal(lease.id, lease.undo), range(3)))
        return not thing.exists()

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(one, range(12)))
    assert plain.leases.leases() == []
    assert not plain.state.exists()


def test_directories_that_come_and_go_disturb_no_lease(plain: Ground) -> None:
    """While others make the lease directory and its parent and take them away without end, every lease is armed."""
    over = threading.Event()

    def others() -> None:
        while not over.is_set():
            with suppress(OSError):
                plain.state.mkdir(parents=True)
            for made in (plain.state, plain.state.parent):
                with suppress(OSError):
                    made.rmdir()

    with ThreadPoolExecutor(2) as pool:
        churning = [pool.submit(others) for _ in range(2)]
        try:
            for number in range(20):
                lease = plain.lease(ttl_s=60, number=number)
                plain.leases.arm(lease)
                plain.leases.heal(lease.id, lease.undo)
        finally:
            over.set()
        assert [one.result() for one in churning] == [None, None]


def test_what_a_killed_process_left_goes_with_the_last_lease(plain: Ground) -> None:
    """Remains of an arm, an end of a lease and an installation that were killed do not stay; a live one's do."""
    lease = plain.lease(ttl_s=60)
    plain.leases.arm(lease)
    gone = subprocess.Popen(["true"])
    gone.wait()
    for remains in (f".new-cd-test-7.{gone.pid}", f".gone-cd-test-8.{gone.pid}"):
        (plain.state / remains).mkdir()
    (plain.state / f"lease-0123.sh.{gone.pid}").touch()
    live = plain.state / f".new-cd-test-9.{os.getpid()}"
    live.mkdir()
    plain.leases.heal(lease.id, lease.undo)
    assert list(plain.state.iterdir()) == [live]


def _runs(pid: int) -> bool:
    from chaosday.processes.process_table import identity

    return bool(identity(pid).started)
