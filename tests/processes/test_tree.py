"""A command with everything that it starts: its connections are seen, and nothing of it is left."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.processes.connect_gate import UNREADABLE, named, supported
from chaosday.processes.tree import Tree, marked

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(supported()), reason=supported())]
PATIENCE_S = 60.0


@pytest.fixture
def door() -> Iterator[str]:
    """An address on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def tree(tmp_path: Path, *command: str) -> Tree:
    return Tree(command, tmp_path, dict(os.environ), tmp_path / "log", f"test-{tmp_path.name}")


def ended(started: Tree) -> int | None:
    until = time.monotonic() + PATIENCE_S
    while started.code is None and time.monotonic() < until:
        time.sleep(0.01)
    return started.code


def connecting(address: str, kind: str = "SOCK_STREAM") -> list[str]:
    host, _, port = address.rpartition(":")
    return [
        sys.executable,
        "-c",
        f"import socket; socket.socket(socket.AF_INET, socket.{kind}).connect(({host!r}, {port}))",
    ]


def test_connections_are_seen_and_may_be_refused(door: str, tmp_path: Path) -> None:
    """One that may be opened is counted; one that may not is refused before anybody hears of it."""
    open_, shut = tree(tmp_path, *connecting(door)), tree(tmp_path, *connecting(door))
    open_.start(lambda address: False)
    assert ended(open_) == 0, open_.output()
    shut.start(lambda address: address == door)
    assert ended(shut) == 1 and "ConnectionRefusedError" in shut.output()
    assert open_.end() == shut.end() == []
    assert (dict(open_.gate.opened), dict(shut.gate.kept_off), dict(shut.gate.opened)) == ({door: 1}, {door: 1}, {})


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Nobody knows where it leads: whatever ``refused`` would say to it."""
    script = (
        "import ctypes, socket\n"
        "libc, s = ctypes.CDLL(None, use_errno=True), socket.socket()\n"
        "print(libc.connect(s.fileno(), ctypes.c_void_p(1), 16), ctypes.get_errno())"
    )
    started = tree(tmp_path, sys.executable, "-c", script)
    started.start(lambda address: False)
    assert ended(started) == 0 and started.output() == f"-1 {errno.ECONNREFUSED}"
    started.end()
    assert not started.gate.opened and [each.startswith(UNREADABLE) for each in started.gate.kept_off] == [True]


def test_grandchildren_are_seen_and_datagrams_are_not(door: str, tmp_path: Path) -> None:
    """What a shell of a shell opens is seen; asking a name server writes nothing anywhere."""
    started = tree(tmp_path, "sh", "-c", 'sh -c \'"$@"\' x "$@"; true', "x", *connecting(door))
    started.start(lambda address: False)
    assert ended(started) == 0
    started.end()
    assert dict(started.gate.opened) == {door: 1}
    asking = connecting(door, "SOCK_DGRAM")[2]
    in_a_thread = f"import threading; t = threading.Thread(target=lambda: exec({asking!r})); t.start(); t.join()"
    for script in (asking, in_a_thread):
        other = tree(tmp_path, sys.executable, "-c", script)
        other.start(lambda address: False)
        assert ended(other) == 0
        other.end()
        assert dict(other.gate.opened) == {}, script


def test_nothing_of_it_is_left(tmp_path: Path) -> None:
    """Neither what left its session nor what stands still; what has ended by itself is asked for its daemons."""
    busy = tree(tmp_path, "sh", "-c", "setsid sleep 600 & setsid sh -c 'kill -STOP $$; sleep 600' & sleep 600")
    busy.start(lambda address: False)
    until = time.monotonic() + PATIENCE_S
    while len(marked(busy.mark)) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    busy.kill()
    assert marked(busy.mark) == set() and busy.code == -9
    daemon = tree(tmp_path, "sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &")
    daemon.start(lambda address: False)
    assert ended(daemon) == 0
    assert len(daemon.end()) == 1 and marked(daemon.mark) == set()


def test_a_helper_that_ends_by_itself_is_no_daemon(tmp_path: Path) -> None:
    """As multiprocessing's tracker of resources, which ends when its pipe does."""
    started = tree(tmp_path, "sh", "-c", "(sleep 0.3) >/dev/null 2>&1 &")
    started.start(lambda address: False)
    assert ended(started) == 0 and started.end() == []


def test_a_program_that_is_not_there_ends_with_127(tmp_path: Path) -> None:
    """As a shell would say it."""
    started = tree(tmp_path, "no-such-program")
    started.start(lambda address: False)
    assert ended(started) == 127 and "no-such-program: No such file" in started.output()
    started.end()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("raw", "address"),
    [
        (b"\x02\x00\x15\x38\x0a\x00\x00\x05" + b"\0" * 8, "10.0.0.5:5432"),
        (b"\x0a\x00\x15\x38" + b"\0" * 4 + b"\0" * 15 + b"\x01" + b"\0" * 4, "[::1]:5432"),
        (b"\x0a\x00\x15\x38" + b"\0" * 4 + b"\0" * 10 + b"\xff\xff\x7f\0\0\1" + b"\0" * 4, "127.0.0.1:5432"),
        (b"\x01\x00/run/postgresql/.s.PGSQL.5432\0", "/run/postgresql/.s.PGSQL.5432"),
        (b"\x10\x00", ""),
    ],
)
def test_addresses_are_said_in_words(raw: bytes, address: str) -> None:
    """IPv4, IPv6, the one in the other's clothes, and the socket of a server on this machine."""
    assert named(raw) == address
