"""Hosts that log us in and then give no shell: one that says nothing, and ones that print what they read."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from chaosday.errors import AccessDenied
from chaosday.mechanisms.hosts.session import Session

SECRET = "correct horse battery"
LONG_S = 60


class Host(paramiko.ServerInterface):
    """Takes any user; ``serve`` is what it does with the channel of a command, or None where it does not answer."""

    def __init__(self, serve: Callable[[paramiko.Channel], None] | None, over: threading.Event) -> None:
        self._serve, self._over = serve, over

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self._serve is None:
            self._over.wait(2 * LONG_S)
            return False
        threading.Thread(target=self._serve, args=(channel,), daemon=True).start()
        return True


@contextlib.contextmanager
def channel_to(serve: Callable[[paramiko.Channel], None] | None) -> Iterator[paramiko.Channel]:
    """A channel on which no command runs yet."""
    over, ends = threading.Event(), socket.socketpair()
    theirs, ours = (paramiko.Transport(end) for end in ends)
    try:
        theirs.add_server_key(paramiko.ECDSAKey.generate())
        theirs.start_server(threading.Event(), Host(serve, over))
        ours.start_client(timeout=LONG_S)
        ours.auth_none("anybody")
        yield ours.open_session(timeout=LONG_S)
    finally:
        over.set()
        ours.close()
        theirs.close()


def test_a_host_that_does_not_say_whether_it_starts_a_command_is_given_up() -> None:
    """In time, and as one that gave no answer in time."""
    with ThreadPoolExecutor(1) as threads, channel_to(None) as channel:
        begun = threads.submit(Session.begin, channel, time.monotonic() + 0.3, sudo=False)
        error = begun.exception(timeout=LONG_S)
    assert isinstance(error, TimeoutError)
    assert "not said in time" in str(error)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (lambda read: f"unknown command: {read}", False),
        (lambda read: f"unknown command: {read[:7]}...", False),
        (lambda read: " ".join(read[4:]) + "\n" + read[4:], False),
        (lambda read: "closed until tomorrow", True),
    ],
    ids=["whole", "beginning", "end", "nothing"],
)
def test_a_password_that_a_login_prints_is_in_no_error(answer: Callable[[str], str], shown: bool) -> None:
    """A menu or a forced command that says again what it read, or a part of it; other words are shown."""

    def serve(channel: paramiko.Channel) -> None:
        read = channel.makefile("r").readline().rstrip("\n")
        with contextlib.suppress(OSError, EOFError):  # gone as soon as it has heard enough
            channel.sendall(answer(read).encode())
            channel.send_exit_status(1)
            channel.close()

    with channel_to(serve) as channel, pytest.raises(AccessDenied, match="starts no shell") as refused:
        Session.begin(channel, time.monotonic() + LONG_S, sudo=True, password=SECRET)
    said = str(refused.value)
    assert not any(SECRET[at : at + 4] in said for at in range(len(SECRET) - 3)), said
    assert ("tomorrow" in said) is shown
