"""A Target can be reached and hurt; what it can do, it offers as capabilities."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast, runtime_checkable

from pydantic import BaseModel, SecretStr

from chaosday.errors import CapabilityMissing
from chaosday.model.base import Model

T = TypeVar("T")
HOW = frozenset(
    [
        "kind",
        "user",
        "via",
        "sslmode",
        "token_header",
        "restart",
        "helper_image",
        "state_dir",
        "known_hosts",
        "ssh_config",
        "key_file",
        "hello_hex",
        "tls",
    ]
)
"""Fields of targets that say how something is reached or undone, and not what it is."""


class ShellResult(Model):
    """How a command ended: exit code, and what it printed."""

    code: int
    out: str = ""
    err: str = ""


@runtime_checkable
class Shell(Protocol):
    """Runs POSIX ``sh`` on the target."""

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        """Run a script; ``TargetUnreachable`` on time-out. A non-zero exit is a result, not an error."""


class ProcessIdentity(Model):
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: str
    """When it started, in the words of the target's own process table; opaque, compared for equality."""
    command: str = ""
    root: int = 0
    """The main process that it descends from, where that was asked; 0 or its own number for a main one."""


@runtime_checkable
class Processes(Protocol):
    """The processes that make up the target, now."""

    def processes(self) -> list[ProcessIdentity]:
        """The main process first, then its descendants; empty when it is down."""


@runtime_checkable
class Restart(Protocol):
    """A target that may be started again by whoever undoes its stop."""

    def restart_script(self) -> str:
        """POSIX ``sh`` that starts it where it is down, and does nothing where it runs: any number of times."""


class Transfer(Model):
    """What became of ``sent_bytes`` known bytes, and of the end of the connection that followed them."""

    sent_bytes: int
    received_bytes: int
    intact: bool
    """Whether what came is a prefix of what was sent."""
    seconds: float
    """From the first byte sent to the last one received."""
    largest_piece_bytes: int = 0
    """The most that came at once."""
    end: Literal["orderly", "reset", "none"] = "none"
    end_after_s: float = 0
    """How long after the last byte the end came, or was waited for."""

    @property
    def share(self) -> float:
        """Of what was sent, what was received."""
        return self.received_bytes / self.sent_bytes if self.sent_bytes else 0.0

    @property
    def bytes_per_s(self) -> float:
        return self.received_bytes / self.seconds if self.seconds else 0.0


@runtime_checkable
class Route(Protocol):
    """A way through a fault proxy: something to connect to that leads to a server."""

    def address(self) -> tuple[str, int]:
        """Where clients connect."""

    def repoint(self, host: str, port: int) -> None:
        """Lead new connections elsewhere, and reset those there are."""

    def inject(self, lease_id: str, toxic: Mapping[str, Any]) -> None:
        """Begin a toxic (``kind`` and its fields) under an armed lease; ``LeaseError`` if there is none."""

    def counters(self) -> dict[str, Any]:
        """``toxics`` in force, and counts: connections, bytes each way, discarded bytes, resets."""

    def probe(self, timeout_s: float) -> float | None:
        """Seconds that a client of ours waits for an answer through the route; None if none came in time."""

    def transfer(self, direction: str, size_bytes: int, timeout_s: float) -> Transfer:
        """Send so many known bytes ``upstream`` or ``downstream`` between two ends of ours, and then the end."""

    def refuses(self) -> bool:
        """Whether a new connection is refused by the kernel (ECONNREFUSED)."""

    def stand(self, count: int = 1) -> None:
        """Place connections of ours in the route, led to the server, that say nothing."""

    def standing_was_reset(self, timeout_s: float) -> bool:
        """Whether one of them is reset within ``timeout_s``; False where none was placed."""


@runtime_checkable
class Postgres(Protocol):
    """A PostgreSQL database, through psycopg; what any SQL database can do is ``chaosday.model.sql.Sql``."""

    def connect(self, *, timeout_s: float = 5, autocommit: bool = True, answer_s: float = 0) -> Any:
        """A new psycopg connection; ``TargetUnreachable`` or ``AccessDenied`` in words.

        ``answer_s``: how long each statement is waited for on our side; 0 leaves that to the caller.
        """


@runtime_checkable
class Replica(Protocol):
    """A copy of another server's data that can be made independent of it."""

    def promote(self) -> None:
        """Take writes from now on, and follow nobody; any number of times."""


@runtime_checkable
class ServerFiles(Protocol):
    """A database server whose programs and data directory are on this machine."""

    @property
    def data_directory(self) -> Path | None: ...

    @property
    def bin_directory(self) -> Path | None: ...

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def user(self) -> str: ...

    @property
    def database(self) -> str: ...

    def secret(self) -> str | None:
        """The password, for a tool's environment and nothing else."""

    def libpq(self) -> dict[str, str]:
        """``host``, and what else says how it is reached, in libpq's words: addresses, TLS; paths and no secrets."""


class Target(Model):
    """Where something is and how to reach it; connections are opened when used, not before.

    A subclass sets ``kind``, gives every field a default, and returns from ``capabilities`` what it
    offers: a mapping from protocol (``Shell``, ``Processes``, ``Postgres``, ``LeaseHolder``, ...) to the
    object that serves it. The core asks for a capability and never for a class.
    """

    kind: str
    offers_with: ClassVar[Mapping[type[Any], str]] = {}
    """Protocols that are offered only where a field is set: the name of that field."""
    here: ClassVar[bool] = False
    """Whether it is on this machine, and reached without a network."""

    @abstractmethod
    def capabilities(self) -> Mapping[type[Any], Any]:
        """Protocol -> the object that serves it."""

    @abstractmethod
    def reach(self) -> str:
        """Reach it, read-only, and say in words what answered; raises ``TargetUnreachable`` or ``AccessDenied``."""

    def close(self) -> None:
        """Let go of every connection; may be called any number of times."""

    def capability(self, protocol: type[T]) -> T:
        """The capability, or ``CapabilityMissing`` that names what the target does offer."""
        offered = self.capabilities()
        if protocol not in offered:
            raise CapabilityMissing(self.lacking(protocol))
        return cast(T, offered[protocol])

    def lacking(self, protocol: type[Any]) -> str:
        """Why it does not offer the protocol, in words: the field to set, or what it does offer."""
        if field := self.offers_with.get(protocol):
            return f"a {self.kind} target offers {protocol.__name__} where {field} is set: set it"
        has = ", ".join(sorted(p.__name__ for p in self.capabilities())) or "nothing"
        return f"a {self.kind} target offers {has}, not {protocol.__name__}"

    def fences(self, affected: Sequence[str]) -> list[str]:
        """What nobody else may hurt at the same time, as names that are the same for everybody who means it.

        Mostly the target as a whole. One that holds many things (an account, a cluster) names what of it is
        ``affected``; one that is the run's own names nothing.
        """
        fields = json.dumps(_without_secrets(self), sort_keys=True, default=str)
        return [f"{self.kind} {fields}"]

    def things(self) -> list[str]:
        """What it is, in the words that guardrails protect: hosts, addresses, databases, buckets, files, labels.

        Every word of its fields counts but those that say how it is reached (an account, the name of a variable).
        """
        # Of its words alone: a route's public face has the address that it took, and taking one starts its proxy.
        fields = {name: value for name, value in Target.public(self).items() if not _says_how(name)}
        return [word for word in words_in(fields) if word]

    def commands(self) -> list[str]:
        """Commands that somebody wrote into it, which undoing may run; none, for most targets."""
        return []

    def public(self) -> dict[str, Any]:
        """Its fields without secrets, fit for plan, journal and report; enough to find it again."""
        return cast(dict[str, Any], _without_secrets(self))

    def holds_secrets(self) -> bool:
        """Whether it was given a secret, without which its public face may find it and not be let in."""
        return _holds_secrets(self)


def _says_how(field: str) -> bool:
    return field in HOW or field.endswith("_env")


def words_in(value: Any) -> list[str]:
    """Every text in plain data, at any depth; keys are none."""
    if isinstance(value, Mapping):
        return [word for item in value.values() for word in words_in(item)]
    if isinstance(value, (list, tuple)):
        return [word for item in value for word in words_in(item)]
    return [value] if isinstance(value, str) else []


def _holds_secrets(value: Any) -> bool:
    if isinstance(value, SecretStr):
        return bool(value.get_secret_value())
    if isinstance(value, BaseModel):
        return any(_holds_secrets(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, Mapping):
        return any(_holds_secrets(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_holds_secrets(item) for item in value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return None
    if isinstance(value, BaseModel):
        return {
            name: _without_secrets(getattr(value, name))
            for name in type(value).model_fields
            if not isinstance(getattr(value, name), SecretStr)
        }
    if isinstance(value, Mapping):
        return {key: _without_secrets(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_secrets(item) for item in value]
    return str(value) if isinstance(value, Path) else value
