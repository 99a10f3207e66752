"""A route as the proxy serves it: where it listens, where it leads, and the toxics in force on it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaosday.mechanisms.proxy.addresses import joined
from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream
from chaosday.mechanisms.proxy.sockets import Acceptor, bound, rebound
from chaosday.mechanisms.proxy.toxic import Toxic
from chaosday.mechanisms.proxy.urgent import UrgentWatch


@dataclass
class _Force:
    """A toxic in force: whose lease it is, and the stages it put into each connection."""

    lease_id: str
    toxic: Toxic
    spec: dict[str, Any]
    stages: dict[Connection, list[tuple[Stream, Stage]]] = field(default_factory=dict)


class ServedRoute:
    """Listens, accepts, leads on, counts."""

    def __init__(self, name: str, upstream: tuple[str, int], urgent: UrgentWatch, full: Callable[[], bool]) -> None:
        self.name = name
        self.urgent = urgent
        self.upstream = upstream
        self.listening: tuple[str, int] = ("", 0)
        self.resets = 0
        self._full = full
        self._acceptor: Acceptor | None = None
        self._shut: list[socket.socket] = []
        self._greeting: set[asyncio.Task[Any]] = set()
        self._connections: set[Connection] = set()
        self._accepted = 0
        self._forces: list[_Force] = []
        self._diverted: dict[int, tuple[str, int]] = {}
        self._totals: dict[str, int] = {}

    def listen(self, host: str, port: int) -> None:
        """Begin to accept, at every address of ``host`` and one port; port 0 takes any free one."""
        sockets = bound(host, port)
        self.listening = (host, sockets[0].getsockname()[1])
        self._acceptor = Acceptor(sockets, self._taken, self._full)

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    def close(self) -> None:
        """Stop accepting, and reset what there is."""
        if self._acceptor is not None:
            self._acceptor.close()
        for wire in self._shut:
            wire.close()
        for connection in list(self._connections):
            connection.reset()

    def repoint(self, upstream: tuple[str, int]) -> None:
        """Lead new connections to ``upstream``; those that lead elsewhere are reset."""
        self.upstream = upstream
        for connection in list(self._connections):
            connection.reset()

    def divert(self, port: int, upstream: tuple[str, int]) -> None:
        """Lead the next connection from the client port ``port`` to ``upstream``: a probe's own answerer."""
        self._diverted[port] = upstream

    def add(self, lease_id: str, toxic: Toxic, spec: dict[str, Any]) -> None:
        """Put a toxic in force, on the connections there are and on those to come."""
        force = _Force(lease_id, toxic, spec)
        self._forces.append(force)
        self._open_or_shut()
        for connection in list(self._connections):
            self._attach(force, connection, fresh=False)

    def remove(self, lease_id: str) -> None:
        """Take away every toxic of a lease; any number of times."""
        for force in [force for force in self._forces if force.lease_id == lease_id]:
            self._forces.remove(force)
            self._open_or_shut()
            for connection, put in force.stages.items():
                if connection.over:
                    continue
                # A connection to be reset must not first deliver what it held.
                if not connection.mutilated:
                    for stream, stage in put:
                        stream.take_out(stage)
                force.toxic.detach(connection)

    def in_force(self, toxic: object) -> bool:
        """Whether it still is."""
        return any(force.toxic is toxic for force in self._forces)

    def lease_ids(self) -> list[str]:
        """The marks of everything in force here."""
        return [force.lease_id for force in self._forces]

    def reading(self) -> dict[str, Any]:
        """The route in numbers; byte counts of ``passed`` are what was handed to the receiving socket."""
        totals = dict(self._totals)
        for connection in self._connections:
            _count(totals, connection)
        return {
            "name": self.name,
            "listen": joined(*self.listening),
            "upstream": joined(*self.upstream),
            "toxics": [{"lease_id": force.lease_id, **force.spec} for force in self._forces],
            "connections": len(self._connections),
            "accepted": self._accepted,
            "resets": self.resets,
            "bytes": totals,
        }

    def accepted(self, connection: Connection) -> None:
        """A client is there (called by the connection)."""
        self._connections.add(connection)
        for force in self._forces:
            self._attach(force, connection, fresh=True)
        connection.connect()

    def finished(self, connection: Connection) -> None:
        """A connection is over (called by the connection)."""
        if connection in self._connections:
            self._connections.remove(connection)
            _count(self._totals, connection)
        for force in self._forces:
            force.stages.pop(connection, None)

    def upstream_of(self, connection: Connection) -> tuple[str, int]:
        """Where this connection leads."""
        transport = connection.client.transport
        port = transport.get_extra_info("peername")[1] if transport is not None else 0
        return self._diverted.pop(port, self.upstream)

    def _taken(self, client: socket.socket) -> None:
        self._accepted += 1
        side = Connection(self, self._accepted).client
        side.wire = client
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(lambda: side, client))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    def _open_or_shut(self) -> None:
        """Refuse connections while a toxic asks for it, at each of the addresses.

        The port stays ours: a socket that is bound to it and does not listen makes the kernel refuse, and
        listens again when the toxic goes.
        """
        refuse = any(force.toxic.refuses for force in self._forces)
        if refuse and self._acceptor is not None:
            self._shut = rebound(self._acceptor)
            self._acceptor = None
        elif not refuse and self._shut:
            self._acceptor, self._shut = Acceptor(self._shut, self._taken, self._full), []

    def _attach(self, force: _Force, connection: Connection, *, fresh: bool) -> None:
        if not connection.over and force.toxic.hits(connection):
            force.stages[connection] = force.toxic.attach(connection, fresh)


def _count(totals: dict[str, int], connection: Connection) -> None:
    for stream in (connection.up, connection.down):
        for what in ("received", "passed", "discarded"):
            key = f"{stream.name}_{what}"
            totals[key] = totals.get(key, 0) + int(getattr(stream, what))
