"""One ``sh`` on a host that answers request after request, each answer between random marks.

Whatever else comes over the channel is nobody's answer: what a login prints before ``sh`` has begun, what a process
writes that an earlier request left running. A shell that ends in the middle of an answer is an error, whatever came.
"""

from __future__ import annotations

import contextlib
import math
import re
import secrets
import select
import shlex
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chaosday.errors import AccessDenied
from chaosday.model.target import ShellResult
from chaosday.processes.local_shell import CHUNK_BYTES, OUTPUT_LIMIT_BYTES

if TYPE_CHECKING:
    import paramiko

PIECES = 64
"""Taken before the clock is looked at again: what writes without end would otherwise be read without end."""
WORD_LIMIT_BYTES = 32 << 10
"""An input up to here is a word of the request (Linux takes 128 KB a word); a longer one ends the session."""
LAST_WORDS_S = 0.5
"""After a command's end what it printed may still come: sshd says its exit code when it likes."""
LOST = "lost"
"""``SSH_CONNECTION`` where the login took away what sshd had set."""
TELLING_LETTERS = 4
"""So many of a password after one another are a part of it, and not a word that happens to be alike."""


class Frame:
    """One stream of one answer: what stands between the mark and its second coming, and the words after that."""

    def __init__(self, mark: str) -> None:
        self.body = bytearray()
        self.begun = False
        self.end: str | None = None
        self._noise = bytearray()
        self._mark = mark.encode()
        self._rest = bytearray()

    @property
    def before(self) -> str:
        """The last of what came before the mark."""
        return (self._noise if self.begun else self._noise + self._rest).decode(errors="replace")

    def take(self, block: bytes) -> None:
        """More of the stream; beyond a limit the body is thrown away, or the command would stand still."""
        self._rest += block
        if not self.begun:
            before, found, after = self._rest.partition(self._mark + b"\n")
            if not found:
                self._keep(self._noise)
                del self._noise[:-1000]
                return
            self._noise += before
            self.begun, self._rest = True, bytearray(after)
        before, found, after = self._rest.partition(self._mark)
        if not found:
            self._keep(self.body)
            del self.body[OUTPUT_LIMIT_BYTES:]
        elif b"\n" in after:
            self.body += before[: OUTPUT_LIMIT_BYTES - len(self.body)]
            self.end = after.partition(b"\n")[0].decode(errors="replace").strip()
            self._rest = bytearray()

    def _keep(self, place: bytearray) -> None:
        """All but what could be the beginning of a mark."""
        sure = max(0, len(self._rest) - len(self._mark))
        place += self._rest[:sure]
        del self._rest[:sure]


class Session:
    """An ``sh`` of its own on the host, with an environment of its own; one request at a time."""

    def __init__(self, channel: paramiko.Channel, *, sudo: bool = False) -> None:
        self.sudo = sudo
        self.idle_since_s = time.monotonic()
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    @classmethod
    def begin(cls, channel: paramiko.Channel, deadline_s: float, *, sudo: bool, password: str = "") -> Session:
        """Start ``sh`` whatever the login shell is (csh, tcsh, fish) and whatever that one prints.

        ``AccessDenied`` where the login or sudo gives none, with its last words. ``deadline_s`` is monotonic.
        """
        half, other, line = (secrets.token_hex(8) for _ in range(3))
        asks = f"{secrets.token_hex(8)}%{secrets.token_hex(8)}"
        _execute(channel, start(half, other, line, sudo=sudo, asks=asks if password else ""), deadline_s)
        session = cls(channel, sudo=sudo)
        out, err = Frame(half + other), Frame(half + other)
        first = f"{password}\n{line}\n" if password else f"{line}\n"
        session._exchange(first.encode(), out, err, deadline_s, lambda: _begun(out, err) or _refused(err, asks))
        if _begun(out, err):
            return session
        if not channel.get_transport().is_active():
            raise EOFError("the connection closed while a shell was started")
        said = _last_words(f"{out.before} {err.before}".replace(asks, " "), password)
        if _refused(err, asks) or (not session.alive and time.monotonic() < deadline_s):
            raise AccessDenied(f"{'sudo' if sudo else 'its login'} starts no shell: {said or 'it said nothing'}")
        raise TimeoutError(f"its login has started no shell in time{f': {said}' if said else ''}")

    @property
    def alive(self) -> bool:
        """Whether it could still answer, as far as is known here."""
        channel = self._channel
        return not (channel.closed or channel.eof_received or channel.exit_status_ready())

    def ask(self, script: str, stdin: str, deadline_s: float) -> ShellResult | None:
        """The answer of one script, or None where it did not come in time, and the session is over.

        ``EOFError`` where the session ended first. After an input of more than 32 KiB it is over as well.
        """
        mark, given = secrets.token_hex(16), stdin.encode()
        in_the_request = len(given) <= WORD_LIMIT_BYTES and b"\0" not in given
        text = request(mark, script, stdin if in_the_request else None)
        out, err = Frame(mark), Frame(mark)
        if in_the_request:
            self._exchange(text.encode(), out, err, deadline_s, lambda: _over(out, err))
        else:
            self._exchange(text.encode(), out, err, deadline_s, lambda: _begun(out, err))
            if _begun(out, err):
                self._exchange(given, out, err, deadline_s, lambda: _over(out, err), ends=True)
        if out.end is None or err.end is None:
            over = not self.alive
            self.close()
            if over:
                raise EOFError("the shell there ended before its answer did")
            return None
        self.idle_since_s = time.monotonic()
        if not in_the_request:
            self.close()
        code = int(out.end) if re.fullmatch(r"\d{1,3}", out.end) else 255
        return ShellResult(code=code, out=out.body.decode(errors="replace"), err=err.body.decode(errors="replace"))

    def answers(self, deadline_s: float) -> bool:
        """Whether it says in time that it is still there, which starts no process; ``EOFError`` where it has ended."""
        return self.ask("", "", deadline_s) is not None

    def close(self) -> None:
        """Let it go; ``sh`` ends with its input."""
        self._channel.close()

    def _exchange(
        self, given: bytes, out: Frame, err: Frame, deadline_s: float, done: Callable[[], bool], *, ends: bool = False
    ) -> None:
        """Feed and drain until it is done, the channel has ended, or time is over.

        With ``ends`` the input ends after what is given.
        """
        channel, exited_s = self._channel, math.inf
        while True:
            given, ends = _feed(channel, given, ends)
            # Looked at before the rest is taken, or what comes in between would be lost.
            ended = channel.closed or channel.eof_received
            if channel.exit_status_ready():
                exited_s = min(exited_s, time.monotonic())
            came = _drain(channel, out, err)
            now_s = time.monotonic()
            left_s = deadline_s - now_s
            if done() or left_s <= 0 or (not came and (ended or now_s - exited_s > LAST_WORDS_S)):
                return
            if came:
                continue
            pause_s = 0.05 if given or ends else min(0.25, max(0.001, left_s))
            if channel.eof_received:
                channel.status_event.wait(pause_s)  # at its end a stream is always readable: poll would spin
            else:
                self._poll.poll(pause_s * 1000)


def _execute(channel: paramiko.Channel, command: str, deadline_s: float) -> None:
    """Have the command begun, or ``TimeoutError``: paramiko waits for the answer without bound, or for the close."""
    import paramiko

    def give_up() -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.close()

    cut = threading.Timer(max(0.0, deadline_s - time.monotonic()), give_up)
    cut.daemon = True
    cut.start()
    try:
        channel.exec_command(command)
    except paramiko.SSHException:
        if time.monotonic() < deadline_s:
            raise
        raise TimeoutError("it has not said in time whether it starts a command") from None
    finally:
        cut.cancel()


def _feed(channel: paramiko.Channel, given: bytes, ends: bool) -> tuple[bytes, bool]:
    """Send what can be sent without waiting; what is left, and whether the end of the stream is still to be sent."""
    try:
        while given and channel.send_ready():
            given = given[channel.send(given[:CHUNK_BYTES]) :]
        if ends and not given:
            channel.shutdown_write()
            ends = False
    except OSError:
        return b"", False  # it has ended; how is still to come
    return given, ends


def _drain(channel: paramiko.Channel, out: Frame, err: Frame) -> bool:
    """Take what has come; whether something had."""
    for number in range(PIECES):
        if channel.recv_ready():
            out.take(channel.recv(CHUNK_BYTES))
        elif channel.recv_stderr_ready():
            err.take(channel.recv_stderr(CHUNK_BYTES))
        else:
            return number > 0
    return True


def _begun(*frames: Frame) -> bool:
    return all(frame.begun for frame in frames)


def _over(*frames: Frame) -> bool:
    return all(frame.end is not None for frame in frames)


def _refused(err: Frame, asks: str) -> bool:
    """sudo asks a second time where it does not take what it got, and would wait for more for ever."""
    return err.before.count(asks) > 1


def _last_words(said: str, password: str) -> str:
    """What a login said, on one line; nothing of it where it said what it read, or a part of that."""
    parts = {password[at : at + TELLING_LETTERS] for at in range(max(1, len(password) - TELLING_LETTERS + 1))} - {""}
    if any(part in said for part in parts):
        return "its words may hold a part of the password, and are not shown"
    return " ".join(said.split())[-300:]


def start(half: str, other: str, line: str, *, sudo: bool, asks: str = "") -> str:
    """The command that becomes our ``sh``, for any login shell.

    It holds nothing in single quotes that csh or fish would take for theirs (``!``, a backslash, the end of a line).
    The first mark is said in two halves, so that a shell that prints its commands (``set -x``, ``set echo``) does not
    say it. What comes before ``line`` is thrown away: sudo reads a password only where it asks for one, which it does
    with the word ``asks``. That has one ``%``, which is written as two, so that a shell's trace does not ask either.
    """
    said = f'echo {half}""{other}'
    wait = f'until [ "$l" = {line} ]; do IFS= read -r l || exit 1; done'
    how = ""
    if sudo:
        how = f"sudo -S -p {asks.replace('%', '%%')} -- " if asks else "sudo -n -- "
    kept = " ".join(f'{name}="${name}"' for name in ("HOME", "PATH", "USER", "SSH_CONNECTION"))
    # Empty is for this machine itself: what hurts packets has to know that there is a connection that it must spare.
    way = f'export SSH_CONNECTION="${{SSH_CONNECTION:-{LOST}}}"'
    return f"exec env -i {kept} {how}sh -c '{said}; {said} >&2; {wait}; unset l; {way}; exec sh'"


def request(mark: str, script: str, stdin: str | None) -> str:
    """One request for ``sh``: a compound command, so that one that arrives in part does nothing at all.

    ``stdin`` None: what follows on the session's own input is the script's, and is read to its end: a host closes the
    channel when its command ends, and what is sent over a channel that is no more ends the whole connection.
    """
    run = f"sh -c {shlex.quote(script)}" if script else ":"
    if stdin is None:
        after = "cat >/dev/null; "
    else:
        after = ""
        run = f"printf %s {shlex.quote(stdin)} | {run}" if stdin else f"{run} </dev/null"
    done = f"c=$?; {after}echo {mark} $c; echo {mark} >&2; "
    return f"{{ echo {mark}; echo {mark} >&2; {run}; {done}{'exit; ' if stdin is None else ''}}}\n"
