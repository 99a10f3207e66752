"""A route as the proxy serves it: where it listens, where it leads, and the toxics in force on it."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any

from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic

_BACKLOG = 1024


@dataclass
class _Force:
    """A toxic in force: whose lease it is, and the stages it put into each connection."""

    lease_id: str
    toxic: Toxic
    spec: dict[str, Any]
    stages: dict[Connection, list[tuple[Stream, Stage]]] = field(default_factory=dict)


class ServedRoute:
    """Listens, accepts, leads on, counts."""

    def __init__(self, name: str, upstream: tuple[str, int]) -> None:
        self.name = name
        self.upstream = upstream
        self.listening: tuple[str, int] = ("", 0)
        self.resets = 0
        self._server: asyncio.Server | None = None
        self._shut: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._accepted = 0
        self._forces: list[_Force] = []
        self._diverted: dict[int, tuple[str, int]] = {}
        self._totals: dict[str, int] = {}

    async def listen(self, host: str, port: int) -> None:
        """Begin to accept; port 0 takes any free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._new_side, host, port, backlog=_BACKLOG)
        self.listening = self._server.sockets[0].getsockname()[:2]

    def close(self) -> None:
        """Stop accepting, and reset what there is."""
        if self._server is not None:
            self._server.close()
        if self._shut is not None:
            self._shut.close()
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
            "listen": _joined(self.listening),
            "upstream": _joined(self.upstream),
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

    def _new_side(self) -> asyncio.BaseProtocol:
        self._accepted += 1
        return Connection(self, self._accepted).client

    def _open_or_shut(self) -> None:
        """Refuse connections while a toxic asks for it.

        The port stays ours: a socket that is bound to it and does not listen makes the kernel refuse, and
        listens again when the toxic goes.
        """
        refuse = any(force.toxic.refuses for force in self._forces)
        if refuse and self._server is not None:
            self._server.close()
            self._server = None
            self._shut = socket.socket(socket.AF_INET6 if ":" in self.listening[0] else socket.AF_INET)
            self._shut.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._shut.bind(self.listening)
        elif not refuse and self._shut is not None:
            again, self._shut = self._shut, None
            again.listen(_BACKLOG)
            asyncio.get_running_loop().create_task(self._listen_again(again))

    async def _listen_again(self, shut: socket.socket) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._new_side, sock=shut, backlog=_BACKLOG)
        # Another toxic may have asked for a refusal meanwhile.
        self._open_or_shut()

    def _attach(self, force: _Force, connection: Connection, *, fresh: bool) -> None:
        if not connection.over and force.toxic.hits(connection):
            force.stages[connection] = force.toxic.attach(connection, fresh)


def _count(totals: dict[str, int], connection: Connection) -> None:
    for stream in (connection.up, connection.down):
        for what in ("received", "passed", "discarded"):
            key = f"{stream.name}_{what}"
            totals[key] = totals.get(key, 0) + int(getattr(stream, what))


def _joined(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
