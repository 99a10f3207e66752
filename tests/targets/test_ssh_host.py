"""A host over SSH: identity checked, secrets kept, time bounded, one connection."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaosday.errors import AccessDenied, Refused, TargetUnreachable, UsageError
from chaosday.mechanisms.hosts.ssh import QUIET_S
from chaosday.model.target import Processes, Shell
from chaosday.targets.ssh_host import SshHost
from tests.lab.hosts import Lab, LabHost
from tests.lab.machine import need_lab

SECRET = "correct horse battery"
USERS = f"""
for user in asked trusted outsider; do useradd --create-home --shell /bin/sh --password '*' "$user"; done
echo 'asked:{SECRET}' | chpasswd
printf 'asked ALL=(ALL) ALL\\ntrusted ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/lab
sed -i 's/^Defaults.*use_pty//' /etc/sudoers
"""

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with one host that has users of all kinds."""
    need_lab()
    with Lab() as made:
        made.start(setup=USERS)
        yield made


@pytest.fixture
def host(lab: Lab) -> LabHost:
    return next(iter(lab.hosts.values()))


@pytest.fixture
def reached(host: LabHost) -> Iterator[list[SshHost]]:
    """Targets to be closed at the end."""
    made: list[SshHost] = []
    yield made
    for target in made:
        target.close()


def _target(reached: LabHost, /, **fields: object) -> SshHost:
    login = {
        "host": reached.address,
        "known_hosts": str(reached.known_hosts),
        "key_file": str(reached.key),
        "agent": False,
    }
    return SshHost.model_validate(login | fields)


def test_a_command_has_an_exit_code_two_streams_and_input(host: LabHost, reached: list[SshHost]) -> None:
    """What a script reads, prints and ends with comes through as it is, beyond one window's size."""
    reached.append(target := _target(host))
    shell = target.capability(Shell)
    done = shell.run("cat; echo problem >&2; exit 3", stdin="läßt\n'x'\n")
    assert (done.code, done.out, done.err) == (3, "läßt\n'x'\n", "problem\n")
    much = shell.run(
        "head -c 5000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2", stdin="z" * 3_000_000
    )
    assert (len(much.out), len(much.err)) == (5_000_000, 300_000)


def test_one_connection_serves_threads(host: LabHost, reached: list[SshHost]) -> None:
    """Twenty commands at a time come out each with its own answer, over the one connection."""
    reached.append(target := _target(host))
    shell = target.capability(Shell)
    with ThreadPoolExecutor(20) as threads:
        said = list(threads.map(lambda n: shell.run(f"echo {n} $SSH_CONNECTION").out.split(), range(60)))
    assert [int(words[0]) for words in said] == list(range(60))
    assert len({words[2] for words in said}) == 1


def test_commands_that_end_before_their_input_leave_the_connection_to_the_others(
    host: LabHost, reached: list[SshHost]
) -> None:
    """Hundreds of them on twenty threads that are switched at every turn: each has its answer, over one connection."""
    reached.append(target := _target(host))
    shell = target.capability(Shell)

    def one(number: int) -> list[str]:
        return shell.run(f"echo {number} $SSH_CONNECTION", stdin="unread\n" * (number % 3)).out.split()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(20) as threads:
            said = list(threads.map(one, range(300)))
    finally:
        sys.setswitchinterval(interval)
    assert [int(words[0]) for words in said] == list(range(300))
    assert len({words[2] for words in said}) == 1


def test_a_host_that_takes_two_sessions_at_a_time_serves_ten_threads(lab: Lab, reached: list[SshHost]) -> None:
    """Commands wait for one another, over the one connection; where none ends, it is said what to raise."""
    narrow = lab.start(disk_mb=0, sshd="MaxSessions 2")
    reached.append(target := _target(narrow, connect_timeout_s=20))
    shell = target.capability(Shell)
    with ThreadPoolExecutor(10) as threads:
        said = list(threads.map(lambda n: shell.run(f"sleep 0.1; echo {n} $SSH_CONNECTION").out.split(), range(20)))
    assert [int(words[0]) for words in said] == list(range(20))
    assert len({words[2] for words in said}) == 1
    with ThreadPoolExecutor(2) as threads:
        waits = "echo begun >>/run/begun; while [ ! -e /run/over ]; do sleep 0.1; done"
        held = [threads.submit(shell.run, waits) for _ in range(2)]
        narrow.run("until [ $(grep -c . /run/begun) = 2 ]; do sleep 0.05; done")
        with pytest.raises(TargetUnreachable, match="MaxSessions"):
            shell.run("true", timeout_s=0.5)
        narrow.run("touch /run/over")
        assert [each.result().code for each in held] == [0, 0]


def test_a_lost_connection_is_opened_again(host: LabHost, reached: list[SshHost]) -> None:
    """The session process on the host is killed between two commands; the second one still runs."""
    reached.append(target := _target(host))
    shell = target.capability(Shell)
    shell.run("true")
    host.run("kill -9 $(pgrep -f '^sshd: root@notty')")
    # A shell that has just answered is not asked whether it is there.
    time.sleep(2 * QUIET_S)
    assert shell.run("echo back").out == "back\n"


def test_a_connection_on_which_nobody_answers_is_given_up_for_another(host: LabHost, reached: list[SshHost]) -> None:
    """As many shells as there are attempts wait on it: they are all lost by the first that says nothing."""
    reached.append(target := _target(host, connect_timeout_s=2, attempts=4))
    shell = target.capability(Shell)
    with ThreadPoolExecutor(4) as threads:
        waits = "echo $PPID >>/run/shells; until [ $(grep -c . /run/shells) = 4 ]; do sleep 0.02; done"
        assert [done.code for done in threads.map(shell.run, [waits] * 4)] == [0] * 4
    held = shell.run("ps -o ppid= -p $PPID").out.strip()
    try:
        host.run(f"kill -STOP {held}; rm /run/shells")
        time.sleep(2 * QUIET_S)
        assert shell.run("echo on").out == "on\n"
    finally:
        host.run(f"kill -CONT {held}")


def test_a_command_that_hangs_is_given_up(host: LabHost, reached: list[SshHost]) -> None:
    """After its time a command is unreachable, and the connection still serves the next one."""
    reached.append(target := _target(host))
    shell = target.capability(Shell)
    with pytest.raises(TargetUnreachable, match=r"within 0.3 s.*sleep 50"):
        shell.run("sleep 50", timeout_s=0.3)
    assert shell.run("echo on").out == "on\n"


def test_a_background_process_does_not_hold_the_answer(host: LabHost, reached: list[SshHost]) -> None:
    """Something left running with our streams open is not waited for."""
    reached.append(target := _target(host))
    done = target.capability(Shell).run("sleep 40 & echo $!", timeout_s=30)
    assert done.code == 0
    assert host.run(f"kill -9 {done.out.strip()} && echo still there") == "still there\n"


def test_an_unknown_key_is_refused_with_the_way_to_accept_it(host: LabHost, tmp_path: Path) -> None:
    """The message's own command, once run, makes the host acceptable."""
    known = tmp_path / "known_hosts"
    target = _target(host, known_hosts=str(known))
    with pytest.raises(Refused, match="unknown") as refused:
        target.reach()
    command = str(refused.value).partition("accept it with: ")[2]
    import subprocess

    subprocess.run(["sh", "-c", command], check=True)
    try:
        assert "Linux" in target.reach()
    finally:
        target.close()


def test_a_changed_key_is_refused(host: LabHost, lab: Lab, tmp_path: Path) -> None:
    """Another key than the one on record is not the host, whatever it says."""
    known = tmp_path / "known_hosts"
    other = (lab.base / "client_key.pub").read_text().split()
    known.write_text(f"{host.address} {other[0]} {other[1]}\n")
    with pytest.raises(Refused, match=r"changed.*ssh-keygen"):
        _target(host, known_hosts=str(known)).reach()


@pytest.mark.parametrize(
    ("user", "password", "as_root"),
    [
        ("root", "", True),
        ("trusted", "", True),
        ("trusted", SECRET, True),
        ("asked", SECRET, True),
        ("asked", "", False),
        ("asked", "wrong", False),
        ("outsider", "", False),
    ],
)
def test_sudo(
    host: LabHost, reached: list[SshHost], caplog: pytest.LogCaptureFixture, user: str, password: str, as_root: bool
) -> None:
    """With a password, without one, or denied in words; the password is on no command line and in no log."""
    for logger in ("", "paramiko"):
        caplog.set_level(logging.DEBUG, logger=logger)
    reached.append(target := _target(host, user=user, sudo_password=password))
    shell = target.capability(Shell)
    script = "id -un; cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    if as_root:
        done = shell.run(script, stdin="mine\n", sudo=True)
        assert done.out.splitlines()[:2] == ["root", "mine"], done.err
        assert SECRET not in done.out + caplog.text
    else:
        assert shell.run("id -un").out.strip() == user
        with pytest.raises(AccessDenied, match="sudo"):
            shell.run(script, sudo=True)


def test_through_a_jump_host(host: LabHost, lab: Lab, reached: list[SshHost]) -> None:
    """The target sees the jump host as the one that connects."""
    inner = lab.start(disk_mb=0)
    reached.append(target := _target(inner, jump=f"root@{host.address}:22"))
    assert target.capability(Shell).run("echo $SSH_CONNECTION").out.split()[0] == host.address


def test_a_jump_host_is_never_taken_for_the_target(
    host: LabHost, lab: Lab, reached: list[SshHost], tmp_path: Path
) -> None:
    """Where the target behind it refuses us or is unknown, no command runs anywhere, however often it is tried."""
    inner = lab.start(disk_mb=0)
    known = tmp_path / "known_hosts"
    lines = host.known_hosts.read_text().splitlines(keepends=True)
    known.write_text("".join(line for line in lines if line.startswith(f"{host.address} ")))
    jump = f"root@{host.address}:22"
    for field, error in (({"known_hosts": str(known)}, Refused), ({"user": "nobody-here"}, AccessDenied)):
        reached.append(target := _target(inner, jump=jump, **field))
        for _ in range(3):
            with pytest.raises(error):
                target.capability(Shell).run("touch /run/was-here")
    for each in (host, inner):
        assert each.run("ls /run/was-here", check=False) == ""


def test_a_key_as_text(host: LabHost, reached: list[SshHost]) -> None:
    """A key that is no file logs in; something that is no key is the caller's mistake."""
    reached.append(target := _target(host, key_file="", key_text=host.key.read_text()))
    assert target.reach().startswith("Linux")
    with pytest.raises(UsageError, match="not a private key"):
        _target(host, key_file="", key_text="hello").reach()


def test_nobody_there(host: LabHost) -> None:
    """No route, nobody listening, no such name: one line each, within the time allowed."""
    for address in (host.address.rpartition(".")[0] + ".250", "127.0.0.1", "no-such-host.invalid"):
        target = _target(host, host=address, port=9, connect_timeout_s=0.5, attempts=2)
        began = time.monotonic()
        with pytest.raises(TargetUnreachable) as unreachable:
            target.reach()
        assert "\n" not in str(unreachable.value)
        assert time.monotonic() - began < 30


def test_somebody_else_is_there() -> None:
    """What answers, but not as SSH does, is said in one line, and the library's own traceback is not shown."""
    program = (
        "import socket, threading\n"
        "from chaosday.targets.ssh_host import SshHost\n"
        "listening = socket.create_server(('127.0.0.1', 0))\n"
        "def answer():\n"
        "    taken, _ = listening.accept()\n"
        "    with taken: taken.sendall(b'220 mail\\r\\n')\n"
        "threading.Thread(target=answer, daemon=True).start()\n"
        "try: SshHost(host='127.0.0.1', port=listening.getsockname()[1], attempts=1).reach()\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "banner" in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_its_public_face_has_no_secret(host: LabHost) -> None:
    """Plan, journal and report may show the target; what opens it is left out, enough to find it is left in."""
    target = _target(host, key_text="k" + SECRET, password=SECRET, sudo_password=SECRET)
    assert SECRET not in str(target.public()) + repr(target) + target.model_dump_json()
    assert SshHost.model_validate(target.public()).host == host.address


def test_processes_by_pattern(host: LabHost, reached: list[SshHost]) -> None:
    """What matches comes first, then what it started."""
    started = host.spawn("exec sh -c 'sleep 71 & sleep 72 & wait' lab-parent")
    host.run("until pgrep -x sleep >/dev/null; do sleep 0.02; done; sleep 0.1")
    reached.append(target := _target(host, process_pattern="lab-parent$"))
    found = target.capability(Processes).processes()
    assert [process.command for process in found][1:] == ["sleep 71", "sleep 72"]
    assert "lab-parent" in found[0].command
    host.run(f"kill -9 {' '.join(str(process.pid) for process in found)}")
    started.wait()
    assert started.stdout is not None
    started.stdout.close()
