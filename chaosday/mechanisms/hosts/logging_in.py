"""What we log in with: a password, and keys one after the other, over as many connections as the host asks for."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.errors import UsageError
from chaosday.processes.login import expanded

if TYPE_CHECKING:
    import paramiko

LONGEST_KEY_BYTES = 65_536
HOME_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


@dataclass(frozen=True)
class Login:
    """How to log in; secrets are held in clear only inside this value and never printed."""

    agent: bool = True
    key_file: str = ""
    key_text: str = field(default="", repr=False)
    key_passphrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    known_hosts: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    """Files of keys to try where none was named: those of ssh's configuration, else the usual ones."""
    identities_only: bool = False
    """Of the agent's keys only those that belong to one of the files."""
    sudo_password: str = field(default="", repr=False)


class TriedEnough(Exception):
    """The host ended the connection after some keys (MaxAuthTries): the others are tried over the next one."""


class Attempts:
    """What paramiko asks to log in: each key once, whatever the number of connections, and then the password.

    An agent may hold eight keys of which the last is the right one, and a host takes six tries a connection.
    """

    def __init__(self, user: str, login: Login) -> None:
        self._user, self._login = user, login
        self._tried: set[bytes] = set()

    def authenticate(self, transport: paramiko.Transport) -> Any:
        """Nothing where it worked; ``TriedEnough`` where it goes on over another connection."""
        import paramiko

        partly = False
        before = len(self._tried)
        for key in self._keys():
            if key.asbytes() in self._tried:
                continue
            try:
                wants = transport.auth_publickey(self._user, key)
            except paramiko.BadAuthenticationType:
                break
            except paramiko.AuthenticationException:
                if not transport.is_active():
                    self._ended(before, key)
            except (paramiko.SSHException, EOFError):
                if transport.is_active():
                    continue  # a key that its agent does not sign with
                self._ended(before, key)
            else:
                if not wants:
                    return []
                partly = True
                break
            self._tried.add(key.asbytes())
        if self._login.password:
            return transport.auth_password(self._user, self._login.password)
        if partly:
            return transport.auth_interactive_dumb(self._user)
        raise paramiko.AuthenticationException("Authentication failed." if self._tried else "there is no key to try")

    def _ended(self, before: int, key: paramiko.PKey) -> None:
        """The key at which the host ended it may be one too many, and not a wrong one: it is tried first next time."""
        if len(self._tried) == before:
            self._tried.add(key.asbytes())
        raise TriedEnough

    def _keys(self) -> Iterator[paramiko.PKey]:
        import paramiko

        login = self._login
        files = [expanded(name) for name in login.identities or HOME_KEYS]
        if login.key_text:
            yield _of_text(login)
        if login.key_file:
            yield _of_file(expanded(login.key_file), login.key_passphrase)
        if login.agent:
            chosen = {*map(_public, files)} if login.identities_only else None
            yield from (key for key in paramiko.Agent().get_keys() if chosen is None or key.asbytes() in chosen)
        if not (login.key_file or login.key_text or login.password):
            for path in files:
                if path.is_file():
                    try:
                        yield _of_file(path, login.key_passphrase)
                    except UsageError:
                        continue  # one that nobody asked for by name


def _of_file(path: Path, passphrase: str) -> paramiko.PKey:
    """The key with its certificate (``-cert.pub`` beside it), or ``UsageError`` where it is none."""
    import cryptography.exceptions
    import paramiko

    try:
        # Declared as text, and handed on to cryptography, which takes bytes.
        return paramiko.PKey.from_path(path, passphrase.encode() or None)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{path} has a passphrase: set key_passphrase, or load it into the agent") from None
    except (
        OSError,
        ValueError,
        paramiko.SSHException,
        paramiko.pkey.UnknownKeyType,
        cryptography.exceptions.UnsupportedAlgorithm,
    ) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not a private key, or not with this passphrase"
        raise UsageError(f"{path} cannot be read as a key: {words}") from None


def _public(path: Path) -> bytes:
    """The public half of a key's file as ssh finds it: in the file itself, else in ``.pub`` beside it; else nothing."""
    for each in (path, Path(f"{path}.pub")):
        try:
            words = each.read_bytes()[:LONGEST_KEY_BYTES].split(None, 2)
            if len(words) > 1 and words[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):
                return base64.b64decode(words[1], validate=True)
        except (OSError, ValueError):
            continue
    return b""


def _of_text(login: Login) -> paramiko.PKey:
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(login.key_text), password=login.key_passphrase or None)
        except (paramiko.SSHException, ValueError):
            continue
    raise UsageError("key_text is not a private key that can be read: Ed25519, ECDSA or RSA, with its passphrase")
