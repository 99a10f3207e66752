"""One SSH connection, kept open and opened again when it was lost, as a ``Shell``.

paramiko is imported on first use: it costs 0.2 s that nobody pays who has no SSH host.
"""

from __future__ import annotations

import contextlib
import io
import logging
import secrets
import select
import shlex
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.errors import AccessDenied, Refused, TargetUnreachable, UsageError
from chaosday.model.target import ShellResult
from chaosday.processes.login import expanded

if TYPE_CHECKING:
    import paramiko

OUTPUT_LIMIT_BYTES = 16 << 20
CHUNK_BYTES = 64 << 10
PIECES = 64
"""Taken before the clock is looked at again: what writes without end would otherwise be read without end."""


@dataclass(frozen=True)
class Address:
    """Where a host is and who we are there."""

    host: str
    port: int = 22
    user: str = "root"

    @classmethod
    def parse(cls, text: str, user: str) -> Address:
        """``[user@]host[:port]``, as in OpenSSH's ProxyJump."""
        name, _, place = text.rpartition("@")
        host, colon, port = place.rpartition(":")
        if not colon or "]" in port:
            host, port = place, "22"
        if not host or not port.isdigit():
            raise UsageError(f"{text!r} is not an address: write [user@]host[:port]")
        return cls(host.strip("[]"), int(port), name or user)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Login:
    """How to log in; secrets are held in clear only inside this value and never printed."""

    agent: bool = True
    key_file: str = ""
    key_text: str = field(default="", repr=False)
    key_passphrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    known_hosts: str = "~/.ssh/known_hosts"
    sudo_password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds."""

    connect_s: float = 10
    attempts: int = 3
    back_off_s: float = 0.3
    keep_alive_s: float = 15


class SshShell:
    """Runs scripts on one host over one connection; safe to use from several threads.

    A script is sent at most once: the connection is opened again only while nothing has been sent,
    because a script whose answer was lost may have run.
    """

    def __init__(self, address: Address, login: Login, patience: Patience, jump: Address | None = None) -> None:
        self.address, self.jump = address, jump
        self._login, self._patience = login, patience
        self._clients: list[paramiko.SSHClient] = []
        self._lock = threading.Lock()
        self._session_ended = threading.Condition()

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        """Run POSIX ``sh``; ``sudo`` makes it root's, with the password on standard input where there is one."""
        import paramiko

        command = f"sh -c {shlex.quote(script)}"
        if sudo and self.address.user != "root":
            command, before = as_root(command, self._login.sudo_password)
            stdin = before + stdin
        deadline = time.monotonic() + timeout_s
        channel = self._channel(timeout_s)
        try:
            channel.settimeout(timeout_s)
            channel.exec_command(_reading_all(command) if stdin else f"exec {command} </dev/null")
            result = _exchange(channel, stdin.encode(), deadline)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise TargetUnreachable(f"{self.address}: lost while a command ran: {_words(error)}") from None
        finally:
            channel.close()
            with self._session_ended:
                self._session_ended.notify_all()
        if result is None:
            raise TargetUnreachable(f"{self.address}: no answer within {timeout_s:g} s to: {_short(script)}")
        last = (result.err.strip().splitlines() or [""])[-1]
        if sudo and self.address.user != "root" and result.code == 1 and last.startswith("sudo:"):
            raise AccessDenied(f"{self.address}: {last}; allow this user sudo, or give the right sudo_password")
        return result

    def close(self) -> None:
        """Let go of the connection; the next ``run`` opens it again."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        for client in reversed(self._clients):
            client.close()
        self._clients = []

    def _channel(self, timeout_s: float) -> paramiko.Channel:
        import paramiko

        patience = self._patience
        deadline = time.monotonic() + min(timeout_s, patience.connect_s)
        attempt, transport = 0, None
        while attempt < max(patience.attempts, 1):
            try:
                with self._lock:
                    transport = self._transport()
                return transport.open_session(timeout=min(timeout_s, patience.connect_s))
            except (OSError, EOFError, paramiko.SSHException) as error:
                problem = error
            if _is_full(transport, problem):
                if time.monotonic() > deadline:
                    said = f"{self.address}: it opens no further session on this connection ({_words(problem)})"
                    raise TargetUnreachable(f"{said}; raise MaxSessions in its sshd_config")
                with self._session_ended:
                    self._session_ended.wait(0.25)
                continue
            with self._lock:
                # Another thread may have opened it again already.
                if self._clients and _live(self._clients[-1]) is transport:
                    self._drop()
            attempt += 1
            if attempt < patience.attempts:
                time.sleep(patience.back_off_s * 2 ** (attempt - 1))
        raise TargetUnreachable(f"{self.address}: {_words(problem)} ({attempt} attempts)")

    def _transport(self) -> paramiko.Transport:
        live = self._clients[-1].get_transport() if self._clients else None
        if live is not None and live.is_active():
            return live
        self._drop()
        opened: list[paramiko.SSHClient] = []
        with contextlib.ExitStack() as unless_it_works:
            through = None
            for hop in filter(None, (self.jump, self.address)):
                client = self._connect(hop, through)
                unless_it_works.callback(client.close)
                opened.append(client)
                if hop is self.jump:
                    place, here = (self.address.host, self.address.port), ("127.0.0.1", 0)
                    through = _live(client).open_channel("direct-tcpip", place, here, timeout=self._patience.connect_s)
            unless_it_works.pop_all()
        # All of the way or nothing: commands would run on the jump host where only that was reached.
        self._clients = opened
        return _live(opened[-1])

    def _connect(self, hop: Address, through: Any) -> paramiko.SSHClient:
        import paramiko

        log = logging.getLogger("paramiko")
        if log.level == logging.NOTSET:
            # What fails is said by an error of ours; it writes a traceback of its own to standard error as well.
            log.setLevel(logging.CRITICAL)
        client = paramiko.SSHClient()
        known = expanded(self._login.known_hosts)
        if known.exists():
            client.load_host_keys(str(known))
        client.set_missing_host_key_policy(_refuse_unknown(hop, known))
        with contextlib.ExitStack() as unless_it_works:
            unless_it_works.callback(client.close)
            try:
                client.connect(hop.host, port=hop.port, username=hop.user, sock=through, **self._credentials())
            except paramiko.BadHostKeyException as error:
                raise Refused(
                    f"{hop}: its host key changed to {_fingerprint(error.key)}; if that is expected, remove the old "
                    f"one with: ssh-keygen -f {known} -R {_known_name(hop)}"
                ) from None
            except paramiko.AuthenticationException as error:
                said = f"{hop}: {_words(error)}; check user and key, or load the key into the agent"
                raise AccessDenied(said) from None
            unless_it_works.pop_all()
        transport = _live(client)
        if isinstance(transport.sock, socket.socket):
            # Small messages follow each other: with Nagle's algorithm every command waits 40 ms for an ACK.
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_keepalive(max(1, round(self._patience.keep_alive_s)))
        return client

    def _credentials(self) -> dict[str, Any]:
        login, seconds = self._login, self._patience.connect_s
        return {
            "password": login.password or None,
            "pkey": _key(login),
            "key_filename": str(expanded(login.key_file)) if login.key_file else None,
            "passphrase": login.key_passphrase or None,
            "allow_agent": login.agent,
            "look_for_keys": not (login.key_file or login.key_text or login.password),
            "timeout": seconds,
            "banner_timeout": seconds,
            "auth_timeout": seconds,
        }


def as_root(command: str, password: str) -> tuple[str, str]:
    """A command by sudo, and what has to come before its standard input.

    sudo reads a password only where it asks for one, and not where the user needs none or was asked a moment ago: the
    password would then be the first line of what the command is given. Everything up to a random line is taken away.
    """
    if not password:
        return f"sudo -n -- {command}", ""
    line = secrets.token_hex(16)
    skip = f'while IFS= read -r given && [ "$given" != {line} ]; do :; done; unset given; exec {command}'
    return f"sudo -S -p '' -- sh -c {shlex.quote(skip)}", f"{password}\n{line}\n"


def _is_full(transport: paramiko.Transport | None, problem: Exception) -> bool:
    """Whether the host refused one more session (sshd takes 10 at a time) on a connection that serves others.

    paramiko has one place for the reasons of all refusals: of two at a time one goes without, which leaves its words.
    """
    import paramiko

    refused = isinstance(problem, paramiko.ChannelException) or str(problem) == "Unable to open channel."
    return refused and transport is not None and transport.is_active()


def _live(client: paramiko.SSHClient) -> paramiko.Transport:
    transport = client.get_transport()
    assert transport is not None
    return transport


def _refuse_unknown(hop: Address, known: Path) -> paramiko.MissingHostKeyPolicy:
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            raise Refused(
                f"{hop}: its host key {_fingerprint(key)} is unknown; if it is the right one, accept it with: "
                f"echo '{_known_name(hop)} {key.get_name()} {key.get_base64()}' >> {known}"
            )

    return Refuse()


def _key(login: Login) -> paramiko.PKey | None:
    if not login.key_text:
        return None
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(login.key_text), password=login.key_passphrase or None)
        except (paramiko.SSHException, ValueError):
            continue
    raise UsageError("key_text is not a private key that can be read: Ed25519, ECDSA or RSA, with its passphrase")


def _fingerprint(key: paramiko.PKey) -> str:
    return str(key.fingerprint)


def _known_name(hop: Address) -> str:
    return hop.host if hop.port == 22 else f"[{hop.host}]:{hop.port}"


def _reading_all(command: str) -> str:
    """The command, and whatever it leaves of its standard input read to the end.

    A host closes the session when its command ends. What paramiko sends after it has answered that (the end of the
    input that one thread had just decided to send) names a session that is no more, for which OpenSSH ends the
    whole connection, and with it the commands of everybody else.
    """
    return f"exec sh -c {shlex.quote(f'{command}; code=$?; cat >/dev/null; exit $code')}"


def _exchange(channel: paramiko.Channel, stdin: bytes, deadline: float) -> ShellResult | None:
    """Feed and drain until the command is over; None when time ran out.

    Over is: exit status known and both streams at their end. A background process that kept a stream
    open would hold us for ever, so that a second after the exit status is enough.
    """
    out, err = bytearray(), bytearray()
    feeds = bool(stdin)
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        if feeds:
            stdin = _feed(channel, stdin)
        _drain(channel, out, err)
        left = deadline - time.monotonic()
        if channel.exit_status_ready():
            ended = channel.eof_received or channel.closed
            if left <= 0 or (ended and not channel.recv_ready() and not channel.recv_stderr_ready()):
                break
            deadline = min(deadline, time.monotonic() + 1) if left > 1 else deadline
        elif channel.closed:
            raise EOFError("the connection closed before the command ended")
        elif left <= 0:
            return None
        pause_s = 0.05 if stdin or channel.exit_status_ready() else min(0.25, max(0.001, left))
        if channel.eof_received:
            channel.status_event.wait(pause_s)  # at its end a stream is always readable: poll would spin
        else:
            poll.poll(pause_s * 1000)
    code = channel.recv_exit_status()
    return ShellResult(code=code, out=out.decode(errors="replace"), err=err.decode(errors="replace"))


def _feed(channel: paramiko.Channel, stdin: bytes) -> bytes:
    """Send what can be sent without waiting; what is left. After the last byte, the end of the stream."""
    try:
        while stdin and channel.send_ready():
            stdin = stdin[channel.send(stdin[:CHUNK_BYTES]) :]
        if not stdin and not channel.eof_sent:
            channel.shutdown_write()
    except OSError:
        return b""  # the command ended without reading it all; how it ended is still to come
    return stdin


def _drain(channel: paramiko.Channel, out: bytearray, err: bytearray) -> None:
    """Take what has come; beyond a limit it is read and thrown away, or the command would stand still."""
    for _ in range(PIECES):
        if channel.recv_ready():
            out += channel.recv(CHUNK_BYTES)
        elif channel.recv_stderr_ready():
            err += channel.recv_stderr(CHUNK_BYTES)
        else:
            break
    del out[OUTPUT_LIMIT_BYTES:], err[OUTPUT_LIMIT_BYTES:]


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return " ".join(str(error).split()) or type(error).__name__


def _short(script: str) -> str:
    line = " ".join(script.split())
    return line if len(line) <= 80 else f"{line[:77]}..."
