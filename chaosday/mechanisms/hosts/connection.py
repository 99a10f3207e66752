"""The connection to a host: where it is, who we are there, the way through a jump host, and its identity.

paramiko is imported on first use: it costs 0.2 s that nobody pays who has no SSH host.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.errors import AccessDenied, Refused, UsageError
from chaosday.processes.login import expanded

if TYPE_CHECKING:
    import paramiko


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


class Connection:
    """The way to one host, opened when it is needed; not safe to use from several threads at once."""

    def __init__(self, address: Address, login: Login, patience: Patience, jump: Address | None = None) -> None:
        self.address, self.jump = address, jump
        self._login, self._patience = login, patience
        self._clients: list[paramiko.SSHClient] = []

    @property
    def live(self) -> paramiko.Transport | None:
        """The transport to the host itself, where there is one."""
        return self._clients[-1].get_transport() if self._clients else None

    def close(self) -> None:
        """Let go of it, the host before the jump host."""
        for client in reversed(self._clients):
            client.close()
        self._clients = []

    def transport(self) -> paramiko.Transport:
        """The one that is open, or a new one all the way."""
        if (live := self.live) is not None and live.is_active():
            return live
        self.close()
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
                said = f"{hop}: {words(error)}; check user and key, or load the key into the agent"
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


def words(error: BaseException) -> str:
    """What went wrong, on one line."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return " ".join(str(error).split()) or type(error).__name__
