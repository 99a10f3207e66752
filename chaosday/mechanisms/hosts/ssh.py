"""A host's shell over one SSH connection, kept open and opened again when it was lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.mechanisms.hosts.connection import Connection, Hop, Patience, words
from chaosday.mechanisms.hosts.session import Session
from chaosday.model.target import ShellResult

if TYPE_CHECKING:
    import paramiko

IDLE_KEPT = 4
QUIET_S = 0.5
"""A shell that has said nothing for so long is asked whether it is still there, before it is given a script."""


class SshShell:
    """Runs scripts on one host over one connection; safe to use from several threads.

    A script is given to an ``sh`` that runs there already and waits for the next one; there are as many of them as
    threads ask at a time, because two scripts in one shell would mix what they print, or need files on a host whose
    disk may be full. A script is sent at most once: another shell is begun, or the connection opened again, only while
    nothing has been sent, because a script whose answer was lost may have run.
    """

    def __init__(self, way: Sequence[Hop], patience: Patience) -> None:
        self.address, self._login = way[-1].address, way[-1].login
        self._patience = patience
        self._connection = Connection(way, patience)
        self._lock = threading.Lock()
        self._idle: dict[bool, list[Session]] = {False: [], True: []}
        self._changed = threading.Condition()

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        """Run POSIX ``sh``; ``sudo`` makes it root's, with the password on standard input where there is one."""
        import paramiko

        session = self._session(sudo and self.address.user != "root", timeout_s)
        result = None
        try:
            result = session.ask(script, stdin, time.monotonic() + timeout_s)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise TargetUnreachable(f"{self.address}: lost while a command ran: {words(error)}") from None
        finally:
            self._give_back(session)
        if result is None:
            raise TargetUnreachable(f"{self.address}: no answer within {timeout_s:g} s to: {_short(script)}")
        return result

    def close(self) -> None:
        """Let go of the connection; the next ``run`` opens it again."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        with self._changed:
            for idle in self._idle.values():
                idle.clear()
        self._connection.close()

    def _session(self, sudo: bool, timeout_s: float) -> Session:
        """One that is idle, or a new one over the connection, which is opened where there is none."""
        import paramiko

        patience = self._patience
        wait_s = min(timeout_s, patience.connect_s)
        deadline = time.monotonic() + wait_s
        attempt = 0
        while attempt < max(patience.attempts, 1):
            with self._lock:
                # A host that says nothing to an idle shell is away on this connection, and is reached by another.
                transport = self._connection.live
            try:
                if (idle := self._take_idle(sudo)) is not None and _answers(idle, wait_s):
                    return idle
                with self._lock:
                    transport = self._connection.transport()
                return self._begun(transport, sudo, timeout_s)
            except (OSError, EOFError, paramiko.SSHException) as error:
                problem = error
            if _is_full(transport, problem):
                if time.monotonic() > deadline:
                    said = f"{self.address}: it opens no further session on this connection ({words(problem)})"
                    raise TargetUnreachable(f"{said}; raise MaxSessions in its sshd_config")
                self._make_place()
                continue
            with self._lock:
                # Another thread may have opened it again already.
                if self._connection.live is transport:
                    self._drop()
            attempt += 1
            if attempt < patience.attempts:
                time.sleep(patience.back_off_s * 2 ** (attempt - 1))
        raise TargetUnreachable(f"{self.address}: {words(problem)} ({attempt} attempts)")

    def _begun(self, transport: paramiko.Transport, sudo: bool, timeout_s: float) -> Session:
        wait_s = self._patience.connect_s
        channel = transport.open_session(timeout=min(timeout_s, wait_s))
        with contextlib.ExitStack() as unless_it_works:
            unless_it_works.callback(channel.close)
            channel.settimeout(wait_s)
            password = self._login.sudo_password if sudo else ""
            try:
                session = Session.begin(channel, time.monotonic() + wait_s, sudo=sudo, password=password)
            except AccessDenied as error:
                how = (
                    "allow this user sudo, or give the right sudo_password" if sudo else "give it a login with a shell"
                )
                raise AccessDenied(f"{self.address}: {error}; {how}") from None
            unless_it_works.pop_all()
        return session

    def _take_idle(self, sudo: bool) -> Session | None:
        with self._changed:
            return self._idle[sudo].pop() if self._idle[sudo] else None

    def _give_back(self, session: Session) -> None:
        """Keep a few that are whole; one that ended makes place on the host for another."""
        with self._changed:
            idle = self._idle[session.sudo]
            if session.alive and len(idle) < IDLE_KEPT:
                idle.append(session)
            else:
                session.close()
            self._changed.notify_all()

    def _make_place(self) -> None:
        """End a shell that waits for nothing, or wait until one is given back."""
        with self._changed:
            for idle in self._idle.values():
                if idle:
                    idle.pop().close()
                    return
            self._changed.wait(0.25)


def _answers(session: Session, wait_s: float) -> bool:
    """Whether an idle shell is still there; ``TimeoutError`` where its host says nothing at all."""
    if session.alive and time.monotonic() - session.idle_since_s < QUIET_S:
        return True
    try:
        if session.alive and not session.answers(time.monotonic() + wait_s):
            raise TimeoutError
    except EOFError:
        return False
    return session.alive


def _is_full(transport: paramiko.Transport | None, problem: Exception) -> bool:
    """Whether the host refused one more session (sshd takes 10 at a time) on a connection that serves others.

    paramiko has one place for the reasons of all refusals: of two at a time one goes without, which leaves its words.
    """
    import paramiko

    refused = isinstance(problem, paramiko.ChannelException) or str(problem) == "Unable to open channel."
    return refused and transport is not None and transport.is_active()


def _short(script: str) -> str:
    line = " ".join(script.split())
    return line if len(line) <= 80 else f"{line[:77]}..."
