"""The connection to a host: where it is, who we are there, the way through a jump host, and its identity.

paramiko is imported on first use: it costs 0.2 s that nobody pays who has no SSH host.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from chaosday.errors import AccessDenied, Refused, UsageError
from chaosday.mechanisms.hosts.known_hosts import Known, known_for, vouched
from chaosday.mechanisms.hosts.logging_in import Attempts, Login, TriedEnough
from chaosday.processes.login import expanded

if TYPE_CHECKING:
    import paramiko


@dataclass(frozen=True)
class Address:
    """Where a host is and who we are there."""

    host: str
    port: int = 22
    user: str = "root"
    known_as: str = ""
    """What its key is filed under, where that is not its name: ssh's HostKeyAlias."""

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Hop:
    """One host on the way, and how we log in there."""

    address: Address
    login: Login


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds."""

    connect_s: float = 10
    attempts: int = 3
    back_off_s: float = 0.3
    keep_alive_s: float = 15


class Connection:
    """The way to one host, opened when it is needed; not safe to use from several threads at once."""

    def __init__(self, way: Sequence[Hop], patience: Patience) -> None:
        self._way, self._patience = tuple(way), patience
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
            for hop in self._way:
                if opened:
                    place, here = (hop.address.host, hop.address.port), ("127.0.0.1", 0)
                    before = _live(opened[-1])
                    through = before.open_channel("direct-tcpip", place, here, timeout=self._patience.connect_s)
                client = self._connect(hop.address, hop.login, through)
                unless_it_works.callback(client.close)
                opened.append(client)
            unless_it_works.pop_all()
        # All of the way or nothing: commands would run on the jump host where only that was reached.
        self._clients = opened
        return _live(opened[-1])

    def _connect(self, hop: Address, login: Login, through: Any) -> paramiko.SSHClient:
        import paramiko

        log = logging.getLogger("paramiko")
        if log.level == logging.NOTSET:
            # What fails is said by an error of ours; it writes a traceback of its own to standard error as well.
            log.setLevel(logging.CRITICAL)
        paths = [expanded(name) for name in login.known_hosts]
        known, attempts = known_for(paths, _known_name(hop)), Attempts(hop.user, login)
        try:
            client = self._logged_in(hop, through, known, attempts)
            while client is None:
                if through is not None:
                    raise AccessDenied(f"{hop}: it ended the connection before all keys were tried; set key_file")
                client = self._logged_in(hop, through, known, attempts)
        except paramiko.BadHostKeyException as error:
            raise Refused(
                f"{hop}: its host key changed to {_fingerprint(error.key)}; if that is expected, remove the old "
                f"one with: ssh-keygen -f {paths[0]} -R {_known_name(hop)}"
            ) from None
        except paramiko.AuthenticationException as error:
            said = f"{hop}: {words(error)}; check user and key, or load the key into the agent"
            raise AccessDenied(said) from None
        except UnicodeError:
            raise UsageError(f"{hop.host!r} is no name of a host: between dots stand 1 to 63 letters") from None
        transport = _live(client)
        if isinstance(transport.sock, socket.socket):
            # Small messages follow each other: with Nagle's algorithm every command waits 40 ms for an ACK.
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_keepalive(max(1, round(self._patience.keep_alive_s)))
        return client

    def _logged_in(self, hop: Address, through: Any, known: Known, attempts: Attempts) -> paramiko.SSHClient | None:
        """One connection with some tries to log in; None where the host wants another one for the rest of them."""
        import paramiko

        client, seconds = paramiko.SSHClient(), self._patience.connect_s
        for key in known.keys:
            if key not in known.revoked:
                client.get_host_keys().add(_plain_name(hop), key.get_name(), key)
        client.set_missing_host_key_policy(_unless_vouched(hop, known))
        with contextlib.ExitStack() as unless_it_works:
            unless_it_works.callback(client.close)
            try:
                client.connect(
                    hop.host,
                    port=hop.port,
                    username=hop.user,
                    sock=through,
                    timeout=seconds,
                    banner_timeout=seconds,
                    auth_timeout=seconds,
                    transport_factory=_with_certificates if known.authorities else None,
                    auth_strategy=cast(Any, attempts),
                )
            except TriedEnough:
                return None
            unless_it_works.pop_all()
        return client


def _with_certificates(sock: Any, **options: Any) -> paramiko.Transport:
    """Asks the host for a certificate first: it shows its plain key to whoever does not."""
    import paramiko

    transport = paramiko.Transport(sock, **options)
    plain = transport.get_security_options().key_types
    plain = [kind for kind in plain if "-cert-" not in kind]
    transport.get_security_options().key_types = [f"{kind}-cert-v01@openssh.com" for kind in plain] + plain
    return transport


def _live(client: paramiko.SSHClient) -> paramiko.Transport:
    transport = client.get_transport()
    assert transport is not None
    return transport


def _unless_vouched(hop: Address, known: Known) -> paramiko.MissingHostKeyPolicy:
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            path = known.paths[0]
            if key in known.revoked:
                raise Refused(f"{hop}: its host key {_fingerprint(key)} is revoked in {known.where}")
            if vouched(key, hop.known_as or hop.host, known.revoked):
                raise Refused(f"{hop}: whoever signed its host key {_fingerprint(key)} is revoked in {known.where}")
            if vouched(key, hop.known_as or hop.host, known.authorities):
                return
            raise Refused(
                f"{hop}: its host key {_fingerprint(key)} is unknown; {''.join(f'{line}; ' for line in known.skipped)}"
                "if it is the right one, accept it with: "
                f"echo '{_known_name(hop)} {key.get_name()} {key.get_base64()}' >> {path}"
            )

    return Refuse()


def _fingerprint(key: paramiko.PKey) -> str:
    return str(key.fingerprint)


def _known_name(hop: Address) -> str:
    return hop.known_as or _plain_name(hop)


def _plain_name(hop: Address) -> str:
    """What paramiko looks a key up by, which knows no HostKeyAlias."""
    return hop.host if hop.port == 22 else f"[{hop.host}]:{hop.port}"


def words(error: BaseException) -> str:
    """What went wrong, on one line."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    return " ".join(str(error).split()) or type(error).__name__
