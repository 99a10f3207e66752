"""Urgent data (RFC 9293, 3.8.5): one byte beside the stream, handed on at the place in it where it came."""

from __future__ import annotations

import asyncio
import fcntl
import select
import socket
from collections.abc import Callable
from contextlib import suppress

_SIOCATMARK = 0x8905


class Urgent(bytes):
    """A piece that is one urgent byte."""


class UrgentWatch:
    """Tells of urgent bytes, of which an event loop knows nothing, by an ``epoll`` that the loop watches."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._told: dict[int, Callable[[], None]] = {}
        asyncio.get_running_loop().add_reader(self._poll.fileno(), self._look)

    def add(self, wire: socket.socket, told: Callable[[], None]) -> None:
        """Call ``told`` whenever an urgent byte came to ``wire``; until it is closed."""
        self._told[wire.fileno()] = told
        self._poll.register(wire.fileno(), select.EPOLLPRI)

    def remove(self, wire: socket.socket) -> None:
        """Before it is closed."""
        if self._told.pop(wire.fileno(), None) is not None:
            self._poll.unregister(wire.fileno())

    def _look(self) -> None:
        for descriptor, event in self._poll.poll(0):
            if event & select.EPOLLPRI and descriptor in self._told:
                self._told[descriptor]()
            elif descriptor in self._told:
                # Broken or hung up, which is told for ever: whoever reads it finds out.
                del self._told[descriptor]
                self._poll.unregister(descriptor)


class Mark:
    """The urgent byte of one socket, which is due once everything before it was read."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._byte: Urgent | None = None

    def came(self) -> None:
        """Take it out of the socket."""
        with suppress(OSError):
            self._byte = Urgent(self._wire.recv(1, socket.MSG_OOB)) or self._byte

    def due(self) -> Urgent | None:
        """The byte, where what is read next comes after it."""
        try:
            if fcntl.ioctl(self._wire.fileno(), _SIOCATMARK, bytes(4)) == bytes(4):
                return None
        except (OSError, ValueError):
            return None
        if self._byte is None:
            self.came()
        byte, self._byte = self._byte, None
        return byte
