"""What the two directions of one client connection share: its sockets, and the answers that are still due."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from chaosday.mechanisms.http_proxy.message import Body, Head
from chaosday.mechanisms.http_proxy.recognise import Asked
from chaosday.mechanisms.http_proxy.routes import Active, Route
from chaosday.mechanisms.http_proxy.strand import Over
from chaosday.mechanisms.http_proxy.wire import Lost, Wire
from chaosday.mechanisms.proxy.sockets import reached

CONNECT_TIMEOUT_S = 10
_BULK_BYTES = 256 << 10


class Unreachable(Over):
    """The service cannot be connected to; the argument says why."""


class Reset(Over):
    """The client's connection is to end in a reset."""


class Closing(Over):
    """The client's connection ends in an orderly way, after what was sent to it."""


@dataclass
class Due:
    """One request whose answer is still to come, and what is to be done about it."""

    method: str
    asked: Asked | None = None
    active: Active | None = None
    own: tuple[Head | None, bytes] | None = None
    """An answer of ours: a head and its body, which a rule may hurt, or no head and the whole of it."""
    closes: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class Link:
    """A client and the service it is led to, which may be another connection after a rule ended the first."""

    def __init__(self, route: Route, client: Wire) -> None:
        self.route = route
        self.client = client
        self.upstream: Wire | None = None
        self.protocols: Sequence[str] = ()
        """What to offer to the service in a TLS handshake (ALPN)."""
        self.due: deque[Due] = deque()
        self.news = asyncio.Event()
        """Something changed that whoever waits for answers has to look at."""
        self.raw = False
        """Whether nobody follows messages any more: another protocol, or none that we understand."""
        self.holding = False
        """Whether a request is kept back: a service that gives up waiting then must not end the client."""
        self.agreed = ""
        """The protocol that the service chose."""
        self._connecting: asyncio.Task[None] | None = None

    def expect(self, due: Due) -> None:
        """Note an answer that is due; one of the service's is waited for already."""
        self.due.append(due)
        if due.own is not None:
            self.tell()

    def tell(self) -> None:
        """Let whoever waits for answers look around."""
        self.news.set()
        if self.upstream is not None:
            self.upstream.poke()

    def connect(self) -> None:
        """Begin to connect, if that was not done yet."""
        if self.upstream is None and (self._connecting is None or self._connecting.done()):
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            # Why it failed is asked for when somebody needs the connection, if anybody does.
            self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def connected(self) -> Wire:
        """The service's socket; ``Unreachable`` in words where there is none."""
        if self.upstream is None:
            self.connect()
            assert self._connecting is not None
            await asyncio.shield(self._connecting)
        assert self.upstream is not None
        return self.upstream

    def drop_upstream(self, *, reset: bool = False) -> None:
        """Let go of the service; a later request connects anew."""
        wire, self.upstream = self.upstream, None
        if wire is not None:
            wire.close(reset=reset)

    def close(self, *, reset: bool) -> None:
        """Close both sides."""
        if self._connecting is not None:
            self._connecting.cancel()
        self.client.close(reset=reset)
        self.drop_upstream(reset=reset)

    async def _connect(self) -> None:
        place = self.route.upstream
        try:
            wire = Wire(await reached(place.host, place.port, CONNECT_TIMEOUT_S))
        except TimeoutError:
            raise Unreachable(f"{place.url} did not take a connection in {CONNECT_TIMEOUT_S} s") from None
        except (OSError, ValueError) as error:
            raise Unreachable(f"{place.url}: {getattr(error, 'strerror', None) or error}") from None
        with ExitStack() as unless_connected:
            unless_connected.callback(wire.close)
            try:
                if place.tls:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        context = place.context(self.protocols)
                        self.agreed = await wire.secure(context, server_side=False, name=place.host)
            except (OSError, TimeoutError, Lost) as error:
                said = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
                raise Unreachable(f"{place.url}: no TLS: {said or type(error).__name__}") from None
            unless_connected.pop_all()
        self.upstream = wire
        self.news.set()


async def passed_on(source: Wire, sink: Wire) -> None:
    """Everything from one to the other, until the source ends."""
    while piece := await source.some():
        await sink.send(piece)


async def body_passed(source: Wire, sink: Wire, body: Body) -> bool:
    """The rest of a body, as it comes; False where the source ends before it does."""
    while not body.done:
        if body.ahead >= _BULK_BYTES and source.plain and sink.plain:
            moved = await source.move(sink, body.ahead)
            body.skip(moved)
            if not moved:
                return False
            continue
        piece = await source.some()
        if not piece:
            return False
        used = body.take(piece)
        source.give_back(piece[used:])
        await sink.send(piece[:used])
    return True


async def linger(wire: Wire, within_s: float) -> None:
    """End our side, and read what still comes: a reset now would take away what the peer has not read yet."""
    await wire.end()
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while await wire.some():
                pass
