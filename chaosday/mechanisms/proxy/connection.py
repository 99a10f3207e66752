"""One client's connection through the proxy: two sides, and between them a stream each way.

A stream is a chain of stages from its source to its sink; with no toxic in force the chain is the sink alone, and
bytes go from one socket to the other in the same turn of the loop. A stage is put in at the source's end and,
when its toxic goes, hands on what it holds before it is taken out: order is kept whatever comes and goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Hashable
from typing import Protocol, cast

from chaosday.mechanisms.proxy.sockets import reached
from chaosday.mechanisms.proxy.urgent import Mark, Urgent, UrgentWatch

UPSTREAM, DOWNSTREAM = "upstream", "downstream"
"""Towards the server, and towards the client."""

_BUFFER = bytearray(256 * 1024)
_VIEW = memoryview(_BUFFER)
_WRITE_HIGH = 512 * 1024
_CONNECT_S = 10
_URGENT_AGAIN_S = 0.001
_RESET = struct.pack("ii", 1, 0)


class Stage:
    """One step of a stream; this one changes nothing. ``next`` is set when it is put in."""

    next: Stage
    cuts = False
    """Whether it keeps everything from passing, the end of the connection included."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def feed(self, data: bytes) -> None:
        """Bytes arrive, in order."""
        self.next.feed(data)

    def end(self) -> None:
        """The source will send no more."""
        self.next.end()

    def release(self) -> None:
        """The toxic is going: pass on everything held, in order, now."""

    def drop(self) -> None:
        """The connection is over: cancel timers, forget what is held."""


class _Sink(Stage):
    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._later: deque[bytes | None] = deque()
        """What waits for an urgent byte, which waits for everything before it to be in the socket."""

    def feed(self, data: bytes) -> None:
        if self._later or isinstance(data, Urgent):
            self._later.append(data)
            if len(self._later) == 1:
                self._flush()
            return
        stream = self.stream
        transport = stream.sink.transport
        if transport is not None and not transport.is_closing():
            stream.passed += len(data)
            transport.write(data)

    def _flush(self) -> None:
        transport, wire = self.stream.sink.transport, self.stream.sink.wire
        if transport is None or wire is None or transport.is_closing():
            self._later.clear()
        elif transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_URGENT_AGAIN_S, self._flush)
        elif self._later:
            with contextlib.suppress(OSError):
                wire.send(self._later.popleft() or b"", socket.MSG_OOB)
            self.stream.passed += 1
            later, self._later = self._later, deque()
            for data in later:
                if data is None:
                    self.end()
                else:
                    self.feed(data)

    def end(self) -> None:
        stream = self.stream
        if self._later:
            self._later.append(None)
            return
        stream.finished = True
        transport = stream.sink.transport
        with contextlib.suppress(OSError):
            if transport is not None and not transport.is_closing():
                transport.write_eof()
        stream.connection.maybe_close()


class Stream:
    """Bytes from ``source`` to ``sink``, counted at both ends."""

    def __init__(self, connection: Connection, name: str, source: Side, sink: Side) -> None:
        self.connection = connection
        self.name = name
        self.source, self.sink = source, sink
        self.received = self.passed = self.discarded = 0
        self.finished = False
        self.tail: Stage = _Sink(self)
        self.head: Stage = self.tail
        self._holds: set[Hashable] = set()

    def put_in(self, stage: Stage) -> None:
        """Add a stage nearest to the source."""
        stage.next, self.head = self.head, stage

    def take_out(self, stage: Stage) -> None:
        """Let a stage pass on what it holds, and remove it."""
        stage.release()
        if self.head is stage:
            self.head = stage.next
            return
        for other in self.stages():
            if getattr(other, "next", None) is stage:
                other.next = stage.next
                return

    def stages(self) -> list[Stage]:
        """From the source's end, without the sink."""
        found, stage = [], self.head
        while stage is not self.tail:
            found.append(stage)
            stage = stage.next
        return found

    @property
    def cut(self) -> bool:
        """Whether nothing passes now."""
        return any(stage.cuts for stage in self.stages())

    @property
    def held(self) -> bool:
        """Whether nothing is taken from the source now."""
        return bool(self._holds)

    def hold(self, why: Hashable) -> None:
        """Stop reading from the source until every reason is gone."""
        self._holds.add(why)
        transport = self.source.transport
        if transport is not None and not transport.is_closing() and transport.is_reading():
            transport.pause_reading()

    def let_go(self, why: Hashable) -> None:
        """Take one reason away."""
        self._holds.discard(why)
        if not self._holds:
            self.source.at_mark()
        transport = self.source.transport
        if not self._holds and transport is not None and not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()


class Side(asyncio.BufferedProtocol):
    """One socket of a connection; ``out`` is the stream it feeds, ``into`` the one that ends here."""

    out: Stream
    into: Stream

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.transport: asyncio.Transport | None = None
        self.wire: socket.socket | None = None
        """The transport's own socket."""
        self._mark: Mark | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nagle off: with it a commit that waits for an answer takes 40 ms more.

        What follows may pause reading, and CPython before 3.11.4 forgets a pause that it is asked for in here: it
        begins to read right afterwards, and the client's first bytes would go to a server that is not there yet.
        """
        self.transport = cast(asyncio.Transport, transport)
        if self.wire is not None:
            self._mark = Mark(self.wire)
            self.connection.route.urgent.add(self.wire, self._urgent)
        self.transport.set_write_buffer_limits(high=_WRITE_HIGH)
        asyncio.get_running_loop().call_soon(self.connection.made, self)

    def get_buffer(self, sizehint: int) -> bytearray:
        """One buffer for all: what is in it is used up before the loop turns."""
        self.at_mark()
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Copied out of the buffer: a transport may keep what it is given to write (CPython 3.12 does)."""
        self.out.received += nbytes
        self.out.head.feed(bytes(_VIEW[:nbytes]))
        self.at_mark()

    def _urgent(self) -> None:
        if self._mark is not None:
            self._mark.came()
            self.at_mark()

    def at_mark(self) -> None:
        """Hand on an urgent byte whose turn it is."""
        byte = self._mark.due() if self._mark is not None and not self.out.held else None
        if byte:
            self.out.received += 1
            self.out.head.feed(byte)

    def eof_received(self) -> bool:
        """Half-closed connections stay half open, as they would without a proxy."""
        self.out.head.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the connection that this socket is gone."""
        if self.wire is not None:
            self.connection.route.urgent.remove(self.wire)
        self.connection.lost(self, exc)

    def pause_writing(self) -> None:
        """The socket takes no more: stop reading from the other side."""
        self.into.hold("full")

    def resume_writing(self) -> None:
        """It takes more again."""
        self.into.let_go("full")


class Served(Protocol):
    """What a connection tells the route that it came by, and asks of it."""

    resets: int
    urgent: UrgentWatch

    def accepted(self, connection: Connection) -> None:
        """A client is there."""

    def finished(self, connection: Connection) -> None:
        """A connection is over."""

    def upstream_of(self, connection: Connection) -> tuple[str, int]:
        """Where this connection leads."""
        ...

    def in_force(self, toxic: object) -> bool:
        """Whether a toxic still is."""
        ...


class Connection:
    """A client, the server it is led to, and what happens in between."""

    def __init__(self, route: Served, number: int) -> None:
        self.route = route
        self.number = number
        self.client, self.server = Side(self), Side(self)
        self.up = Stream(self, UPSTREAM, self.client, self.server)
        self.down = Stream(self, DOWNSTREAM, self.server, self.client)
        self.client.out = self.server.into = self.up
        self.client.into = self.server.out = self.down
        self.blocked: set[Hashable] = set()
        """Reasons not to connect to the server yet."""
        self.mutilated = False
        """Whether anything of it was discarded, so that it cannot go on."""
        self.over = False
        self._connecting: asyncio.Task[None] | None = None

    def streams(self, direction: str) -> list[Stream]:
        """The streams of ``upstream``, ``downstream`` or ``both``."""
        return [stream for stream in (self.up, self.down) if direction in ("both", stream.name)]

    @property
    def connected(self) -> bool:
        """Whether the server's side is there."""
        return self.server.transport is not None

    def made(self, side: Side) -> None:
        """A socket is there: the client's asks for the server, the server's lets the bytes run."""
        if self.over:
            self._abort(side)
        elif side is self.client:
            self.up.hold("connect")
            self.route.accepted(self)
        else:
            # A stage may have asked to hold the server's bytes before there was a server.
            self.down.hold("connect")
            self.down.let_go("connect")
            self.up.let_go("connect")

    def connect(self) -> None:
        """Begin to connect to the server, unless something blocks it, or it is done."""
        if not (self.blocked or self.over or self.connected or self._connecting):
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        host, port = self.route.upstream_of(self)
        try:
            self.server.wire = await reached(host, port, _CONNECT_S)
            await asyncio.get_running_loop().create_connection(lambda: self.server, sock=self.server.wire)
        except (OSError, ValueError):
            # What a client would see without a proxy is a refusal; a reset is the nearest thing after an accept.
            self.reset()

    def lost(self, side: Side, exc: Exception | None) -> None:
        """A socket is gone; where its stream is cut the other side must not learn of it before the cut is mended."""
        side.transport = None
        if self.over:
            return
        if side.out.cut:
            self.mutilated = True
        else:
            self.reset()

    def maybe_close(self) -> None:
        """Both sides have said all: close both."""
        if self.up.finished and self.down.finished:
            self._finish()
            for side in (self.client, self.server):
                if side.transport is not None:
                    side.transport.close()

    def reset(self) -> None:
        """End it with a TCP reset to both sides."""
        if self.over:
            return
        self._finish()
        self.route.resets += 1
        for side in (self.client, self.server):
            self._abort(side)

    def _finish(self) -> None:
        self.over = True
        task = self._connecting
        if task is not None and not task.done() and task is not asyncio.current_task():
            task.cancel()
        for stream in (self.up, self.down):
            for stage in stream.stages():
                stage.drop()
        self.route.finished(self)

    def _abort(self, side: Side) -> None:
        if side.transport is None:
            return
        sock = side.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        side.transport.abort()
