"""Sockets of a proxy: where it listens, how it reaches a server by all of its addresses, how many it may have."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections.abc import Callable, Sequence

from chaosday.mechanisms.proxy.addresses import checked

BACKLOG = 4096
_NEXT_ADDRESS_S = 0.25
"""How long an address may be silent before the next one is tried beside it (RFC 8305)."""
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_FEW_CONNECTIONS = 2000
_PORTS_TRIED = 20


def at_most_connections() -> int:
    """Raise the soft limit of open descriptors to the hard one; how many connections of two sockets and a pipe fit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(0, hard - 64) // 4


def too_few(connections: int) -> str:
    """What to say of a limit that a busy service may meet; nothing where it is high enough."""
    if connections >= _FEW_CONNECTIONS:
        return ""
    return f"at most {connections} connections at once: raise the hard limit of open descriptors (ulimit -Hn)"


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets that are bound to every address of ``host``, all at one port (0: any free one), and do not listen."""
    found = socket.getaddrinfo(checked(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = list(dict.fromkeys((family, place) for family, _, _, _, place in found))
    for attempt in range(_PORTS_TRIED):
        try:
            return _bound(places, port)
        except OSError as error:
            # The port that was free for the first address may be somebody's at the second.
            if port or error.errno != errno.EADDRINUSE or attempt == _PORTS_TRIED - 1:
                raise
    raise AssertionError("unreachable")


def _bound(places: Sequence[tuple[int, tuple[object, ...]]], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, place in places:
            try:
                wire = socket.socket(family, socket.SOCK_STREAM)
            except OSError as error:
                # A machine without IPv6 may still know addresses of it.
                if error.errno == errno.EAFNOSUPPORT and len(places) > 1:
                    continue
                raise
            sockets.append(wire)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                wire.bind((place[0], port, *place[2:]))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and len(places) > 1:
                    sockets.pop().close()
                    continue
                raise
            port = wire.getsockname()[1]
    except OSError:
        for wire in sockets:
            wire.close()
        raise
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, "no address of it is this machine's")
    return sockets


async def reached(host: str, port: int, within_s: float) -> socket.socket:
    """A connection to the first address that takes one, the next being tried beside one that is silent.

    ``OSError`` says why there is none. Without a free descriptor it waits for one.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(within_s):
        places = _literal(host, port) or await loop.getaddrinfo(checked(host), port, type=socket.SOCK_STREAM)
        trying: set[asyncio.Task[socket.socket]] = set()
        failed: OSError | None = None
        left = [(family, place) for family, _, _, _, place in places]
        try:
            while left or trying:
                if left:
                    trying.add(loop.create_task(_connected(*left.pop(0))))
                done, trying = await asyncio.wait(
                    trying, timeout=_NEXT_ADDRESS_S if left else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    error = task.exception()
                    if error is None:
                        return task.result()
                    if not isinstance(error, OSError):
                        raise error
                    failed = failed or error
        finally:
            for task in trying:
                task.cancel()
    raise failed or OSError(errno.EHOSTUNREACH, "it has no address")


def _literal(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """An address that needs no lookup, which would take a thread."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return [(family, socket.SOCK_STREAM, 0, "", (host, port))]
    return []


async def _connected(family: int, place: tuple[object, ...]) -> socket.socket:
    while True:
        try:
            wire = socket.socket(family, socket.SOCK_STREAM)
            break
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            await asyncio.sleep(0.05)
    with contextlib.ExitStack() as unless_connected:
        unless_connected.callback(wire.close)
        wire.setblocking(False)
        with contextlib.suppress(OSError):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(wire, place)
        unless_connected.pop_all()
    return wire


class Acceptor:
    """Takes clients from listening sockets; while there is no room for more they wait, and are not turned away."""

    def __init__(
        self, sockets: Sequence[socket.socket], taken: Callable[[socket.socket], None], full: Callable[[], bool]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._taken = taken
        self._full = full
        self.sockets = list(sockets)
        self._again: asyncio.TimerHandle | None = None
        for wire in self.sockets:
            wire.setblocking(False)
            wire.listen(BACKLOG)
        self._watch()

    def close(self) -> None:
        """Stop, and close the sockets."""
        if self._again is not None:
            self._again.cancel()
        for wire in self.sockets:
            self._loop.remove_reader(wire)
            wire.close()

    def _watch(self) -> None:
        for wire in self.sockets:
            self._loop.add_reader(wire, self._ready, wire)

    def _rest(self) -> None:
        for wire in self.sockets:
            self._loop.remove_reader(wire)
        self._again = self._loop.call_later(0.05, self._watch)

    def _ready(self, wire: socket.socket) -> None:
        for _ in range(64):
            if self._full():
                self._rest()
                return
            try:
                client, _ = wire.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (*_NO_DESCRIPTOR, errno.ENOBUFS, errno.ENOMEM):
                    raise
                self._rest()
                return
            client.setblocking(False)
            with contextlib.suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._taken(client)


def rebound(acceptor: Acceptor) -> list[socket.socket]:
    """End an acceptor; sockets bound to the same addresses, which do not listen."""
    places = [(wire.family, wire.getsockname()) for wire in acceptor.sockets]
    acceptor.close()
    return _bound(places, places[0][1][1])
