"""Answers of a host are what its scripts said, whatever the login shell is and whatever it prints."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest

from chaosday.errors import AccessDenied, MalformedInput, TargetUnreachable
from chaosday.mechanisms.hosts.session import WORD_LIMIT_BYTES, Frame
from chaosday.mechanisms.hosts.ssh import QUIET_S
from chaosday.model.lease import LeaseHolder
from chaosday.model.scene import Control
from chaosday.model.target import Shell
from chaosday.processes.local_shell import OUTPUT_LIMIT_BYTES
from chaosday.targets.ssh_host import SshHost
from tests.lab.hosts import Lab, LabHost
from tests.lab.machine import need_lab

LOUD = "printf 'WELCOME to cd-lease-1 run fault 1 armed x\\n'; echo 'so much noise' >&2"
# What is in its home, under which name, and what the login shell is.
LOGINS = {
    "bash": ("bash", ".bashrc", LOUD),
    "traced": ("bash", ".bashrc", f"{LOUD}; set -xv"),
    "csh": ("tcsh", ".tcshrc", "echo WELCOME; set echo verbose; setenv LC_ALL tlh; alias echo /bin/false"),
    "fish": ("fish", ".config/fish/config.fish", "echo WELCOME; function env; echo not that one; end"),
    "mksh": ("mksh", ".mkshrc", LOUD),
    "busybox": ("busybox", ".profile", LOUD),
}
SETUP = "printf '%s\\n' '#!/bin/sh' 'exec busybox sh \"$@\"' >/etc/ash; chmod 755 /etc/ash\n" + "".join(
    f"useradd --create-home --shell {'/etc/ash' if shell == 'busybox' else shutil.which(shell) or '/bin/sh'} "
    f"--password '*' u{name}\nmkdir -p ~u{name}/{'/'.join(file.split('/')[:-1])}\n"
    f"cat >~u{name}/{file} <<'THE END'\n{text}\nTHE END\nchown -R u{name} ~u{name}\n"
    f"echo 'u{name} ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers.d/lab\n"
    for name, (shell, file, text) in LOGINS.items()
)  # fmt: skip
PASSWORD = "correct horse"
SETUP += f"""useradd --create-home --shell /bin/bash --password '*' uasked
echo 'uasked:{PASSWORD}' | chpasswd
echo 'set -xv; unset SSH_CONNECTION' >~uasked/.bashrc
echo 'uasked ALL=(ALL) ALL' >>/etc/sudoers.d/lab
"""
SETUP += "useradd --create-home --shell /usr/sbin/nologin --password '*' unone\n"
SETUP += "sed -i 's/^Defaults.*use_pty//' /etc/sudoers\n"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def host() -> Iterator[LabHost]:
    """A host with users of many login shells, each of which prints something of its own."""
    need_lab()
    with Lab() as made:
        yield made.start(disk_mb=0, setup=SETUP)


@pytest.fixture
def target(host: LabHost, request: pytest.FixtureRequest) -> Iterator[SshHost]:
    user = getattr(request, "param", "root")
    fields = {"known_hosts": str(host.known_hosts), "key_file": str(host.key), "agent": False}
    made = SshHost.model_validate({"host": host.address, "user": user, "sudo_password": PASSWORD, **fields})
    yield made
    made.close()


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(f"u{name}", marks=pytest.mark.skipif(shutil.which(shell) is None, reason=f"no {shell} here"))
        for name, (shell, _, _) in LOGINS.items()
    ],
    indirect=True,
)
def test_a_login_that_prints_is_never_an_answer(target: SshHost) -> None:
    """As the user and as root: words, errors, codes, input come through, the way to us is known, no lease is seen."""
    shell = target.capability(Shell)
    for sudo in (False, True):
        done = shell.run("""cat; echo "it's !! \\ here" >&2; exit 7""", stdin="läßt'\n!\\n", sudo=sudo)
        assert (done.code, done.out, done.err) == (7, "läßt'\n!\\n", "it's !! \\ here\n")
        assert shell.run(":", sudo=sudo).out == ""
    assert shell.run('echo "$SSH_CONNECTION"').out.split()[2] == target.host
    assert target.capability(LeaseHolder).leases() == []
    assert target.reach().endswith(f"as root, through {target.user}@{target.host}:22")


@pytest.mark.parametrize("target", ["uasked"], indirect=True)
def test_a_login_that_traces_does_not_ask_for_a_password(target: SshHost) -> None:
    """The right password is not refused because sudo's command, with the word by which it asks, stands in the trace."""
    shell = target.capability(Shell)
    assert shell.run("id -un", sudo=True).out == "root\n"
    # What sshd had set is lost, and no rule could spare the connection that it named.
    with pytest.raises(MalformedInput, match="let its login keep what sshd sets"):
        Control.parse(shell.run('echo "$SSH_CONNECTION"').out)


@pytest.mark.parametrize("target", ["unone"], indirect=True)
def test_a_login_without_a_shell_is_said(target: SshHost) -> None:
    """In the words of the host, at once."""
    with pytest.raises(AccessDenied, match="starts no shell: This account is currently not available"):
        target.capability(Shell).run("true")


@pytest.mark.parametrize("death", ["kill -9 $PPID", "kill -9 $(ps -o ppid= -p $PPID)", "exec >&- 2>&-; kill -9 $PPID"])
def test_a_shell_that_dies_in_the_middle_is_no_answer(target: SshHost, death: str) -> None:
    """Neither an empty one nor half of one, and the next script has a shell again."""
    shell = target.capability(Shell)
    with pytest.raises(TargetUnreachable, match="lost while a command ran"):
        shell.run(f"echo half of it; {death}; sleep 0.2; echo the rest")
    assert shell.run("echo back").out == "back\n"


def test_one_shell_serves_a_verb(target: SshHost) -> None:
    """Scripts one after another run below one process, which is not theirs to change."""
    shell = target.capability(Shell)
    seen = {shell.run(f"cd /tmp; x={number}; echo $PPID $x$PWD; exit {number}").out.split()[0] for number in range(5)}
    assert len(seen) == 1
    assert shell.run("echo $x$PWD").out == "/root\n"
    assert shell.run("cat | wc -c", stdin="x" * (WORD_LIMIT_BYTES + 1)).out.strip() == str(WORD_LIMIT_BYTES + 1)
    assert shell.run("echo on; exec 2>&-").out == "on\n"


def test_what_comes_between_two_answers_is_none(target: SshHost, host: LabHost) -> None:
    """A process that was left running writes on, to nobody."""
    shell = target.capability(Shell)
    shell.run("(until [ -e /tmp/go ]; do sleep 0.01; done; echo late; echo late >&2; touch /tmp/gone) & :")
    host.run("touch /tmp/go; until [ -e /tmp/gone ]; do sleep 0.01; done")
    done = shell.run("echo mine")
    assert (done.out, done.err) == ("mine\n", "")


def test_what_is_too_much_is_read_to_its_end(target: SshHost) -> None:
    """Beyond the limit it is thrown away, and how the script ended is still known."""
    done = target.capability(Shell).run(f"head -c {OUTPUT_LIMIT_BYTES + 9} /dev/zero | tr '\\0' x; exit 5")
    assert (done.code, len(done.out)) == (5, OUTPUT_LIMIT_BYTES)


def test_frames_do_not_depend_on_how_the_bytes_come() -> None:
    """Byte by byte or at once: what is between the marks, and nothing of the marks."""
    stream = b"noise MARKnoise\nMARK\nbody MAR\n\nMARK 12\n"
    for size in (1, 2, 3, 5, len(stream)):
        frame = Frame("MARK")
        for place in range(0, len(stream), size):
            assert frame.end is None
            frame.take(stream[place : place + size])
        assert (bytes(frame.body), frame.end) == (b"body MAR\n\n", "12")
        assert frame.before == "noise MARKnoise\n"


def test_a_shell_that_is_gone_is_not_given_a_script(target: SshHost, host: LabHost) -> None:
    """Ended while it waited: the next script is given to another one, once."""
    shell = target.capability(Shell)
    pid = shell.run("echo $PPID").out.strip()
    host.run(f"kill -9 {pid}")
    # One that has just answered is not asked whether it is there.
    time.sleep(2 * QUIET_S)
    assert shell.run("echo $PPID >>/tmp/ran; cat /tmp/ran").out.strip() not in ("", pid)
    assert shell.run("grep -c . /tmp/ran; rm /tmp/ran").out == "1\n"
