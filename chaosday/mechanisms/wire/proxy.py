"""A proxy in front of a PostgreSQL server: a gate is asked about every ask, and everything can be stopped at one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar, cast

from chaosday.errors import MalformedInput, TargetUnreachable
from chaosday.mechanisms.wire.conversation import Ask, Conversation, Gate, Leave

T = TypeVar("T")
_WAITING_AT_MOST = 1000
"""How many messages of a client may wait before no more are read."""


class _Side(asyncio.Protocol):
    """One socket of a connection."""

    def __init__(self, link: _Link, heard: Callable[[bytes], None]) -> None:
        self.link = link
        self._heard = heard
        self.transport: asyncio.Transport | None = None
        self.other: _Side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.link.made(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._heard(data)
        except MalformedInput:
            self.link.abort()
        except OSError as error:
            # asyncio takes it for one of the socket's and says nothing; it is the gate's.
            self.link.proxy.failed = error
            self.link.abort()
        self.link.looked()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.link.lost(self)

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send it, if there is anybody left to send it to."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)


class _Link:
    """A client, its server, and the conversation between them."""

    def __init__(self, proxy: WireProxy, number: int) -> None:
        self.proxy = proxy
        self.early: list[bytes] = []
        self.client = _Side(self, self._from_client)
        self.server = _Side(self, self._from_server)
        self.client.other, self.server.other = self.server, self.client
        self.conversation = Conversation(number, proxy.gate, self._to_server, self.client.write)
        self.client_gone = False
        self.connecting: asyncio.Task[Any] | None = None

    def made(self, side: _Side) -> None:
        if side is self.client:
            self.proxy.links.add(self)
            self.connecting = asyncio.get_running_loop().create_task(self._connect())
            return
        for data in self.early:
            self.server.write(data)
        self.early.clear()
        self.looked()

    def looked(self) -> None:
        """After every turn: a client that says more than is handed on has to wait, one that has gone is let go."""
        reading = self.conversation.queued < _WAITING_AT_MOST
        transport = self.client.transport
        if transport is not None and not transport.is_closing() and transport.is_reading() != reading:
            transport.resume_reading() if reading else transport.pause_reading()
        if self.conversation.cut:
            self.abort()
        elif self.client_gone and self.conversation.drained and not self.proxy.stopped:
            self._close_server()

    def lost(self, side: _Side) -> None:
        if side is self.client:
            self.client_gone = True
            self.looked()
        else:
            # The server is gone for this connection: whatever was awaited will not come.
            self.conversation.awaiting = None
            self.conversation.stopped = True
            if self.client.transport is not None:
                self.client.transport.close()
        if self.client.transport is None and self.server.transport is None:
            self.proxy.links.discard(self)

    @property
    def port(self) -> int:
        """From which it reaches the server; 0 before it does and after."""
        transport = self.server.transport
        return int(transport.get_extra_info("sockname")[1]) if transport is not None else 0

    def abort(self) -> None:
        """End it with a reset on both sides."""
        self.conversation.stopped = True
        if self.connecting is not None:
            self.connecting.cancel()
        for side in (self.client, self.server):
            if side.transport is not None:
                side.transport.abort()

    def _from_client(self, data: bytes) -> None:
        self.conversation.from_client(data)

    def _from_server(self, data: bytes) -> None:
        self.conversation.from_server(data)

    def _to_server(self, data: bytes) -> None:
        if self.server.transport is None:
            self.early.append(data)
        else:
            self.server.write(data)

    def _close_server(self) -> None:
        if self.server.transport is not None:
            self.server.transport.close()
        else:
            self.proxy.links.discard(self)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, *self.proxy.upstream)
        except OSError:
            self.abort()


class WireProxy:
    """Listens on a port of loopback from ``start`` to ``close``, in a thread of its own.

    Once the gate has stopped an ask nothing is handed on in any connection, and new ones wait. Once it holds one all
    connections wait; they are set aside by ``set_aside``, after which others come and go until ``release``.
    ``upstream`` is host and port of the server.
    """

    def __init__(self, upstream: tuple[str, int], gate: Gate | None = None) -> None:
        self.upstream = upstream
        self.gate = _Stopping(self, gate or Gate())
        self.links: set[_Link] = set()
        self.aside: set[_Link] = set()
        self.stopped = False
        self.holding = False
        self.accepted = 0
        self.port = 0
        self.failed: BaseException | None = None
        """What a gate raised, since the last ``reset``; the connection that it was asked about has ended."""
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note)
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire-proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> Self:
        """Listen; ``TargetUnreachable`` where no port can be had."""
        self._thread.start()
        try:
            self._server = self._await(self._listen())
        except OSError as error:
            self.close()
            raise TargetUnreachable(f"the proxy cannot listen on loopback: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()

    def quiet(self) -> bool:
        """Whether the server has answered everything that it was asked."""
        return self._call(lambda: all(link.conversation.quiet for link in self.links))

    def reset(self, gate: Gate | None = None) -> None:
        """End every connection but those set aside, and begin anew with another gate."""
        self._call(lambda: self._reset(gate, self.links - self.aside))

    def set_aside(self) -> None:
        """Take all connections that there are for held ones, which keep their gate; new ones are not."""
        self._call(self._set_aside)

    def release(self) -> None:
        """Let those go on that were set aside."""
        self._call(self._release)

    def drop(self) -> None:
        """End those that were set aside."""
        self._call(lambda: self._reset(None, self.aside))

    def ports_aside(self) -> list[int]:
        """By which ports the server knows the connections that were set aside and are still there."""
        return self._call(lambda: [link.port for link in self.aside & self.links if link.port])

    def close(self) -> None:
        """End every connection and stop listening; any number of times."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            if self._server is not None:
                self._call(self._server.close)
            self._call(lambda: self._reset(None, self.links))
            # One turn of the loop more: the sockets of aborted transports are closed in it.
            self._await(asyncio.sleep(0))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _reset(self, gate: Gate | None, ended: set[_Link]) -> None:
        for link in list(ended):
            link.abort()
            self.links.discard(link)
            self.aside.discard(link)
        self.stopped = self.holding = False
        self.accepted = 0
        self.failed = None
        self.gate.inner = gate or Gate()

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio says of a protocol that raised."""
        if "protocol" in context and "exception" in context:
            self.failed = context["exception"]
        else:
            loop.default_exception_handler(context)

    def hold(self) -> None:
        """All wait, also those that are yet to come; called by the proxy's own thread."""
        self.holding = True
        for link in self.links:
            link.conversation.held = True

    def _set_aside(self) -> None:
        self.aside = set(self.links)
        for link in self.aside:
            link.conversation.gate = self.gate.inner
        self.holding = False

    def _release(self) -> None:
        for link in list(self.aside):
            link.conversation.resume()
            link.looked()

    def _new(self) -> _Side:
        self.accepted += 1
        link = _Link(self, self.accepted)
        link.conversation.held = self.holding
        return link.client

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._new, "127.0.0.1", 0)

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _call(self, act: Callable[[], T]) -> T:
        async def acting() -> T:
            return act()

        return cast(T, self._await(acting()))


class _Stopping(Gate):
    """The gate of whoever drives the proxy; what it stops is stopped in all connections, and in all channels."""

    def __init__(self, proxy: WireProxy, inner: Gate) -> None:
        self.proxy = proxy
        self.inner = inner
        self.turn = threading.RLock()

    def arrived(self, ask: Ask) -> Leave:
        with self.turn:
            return Leave.STOP if self.proxy.stopped else self._for_all(self.inner.arrived(ask))

    def answered(self, ask: Ask) -> Leave:
        with self.turn:
            return Leave.STOP if self.proxy.stopped else self._for_all(self.inner.answered(ask))

    def beside(self, gate: Gate, decide: Callable[[Gate], bool]) -> bool:
        """What is asked otherwise than by the wire, decided about in turn; False where all stands still.

        ``gate`` is that of the run which asks: of one that was set aside, it is not the proxy's any more.
        """
        with self.turn:
            if gate is not self.inner:
                return decide(gate)
            try:
                return not self.proxy.stopped and decide(self)
            except OSError as error:
                self.proxy.failed = error
                return False

    @property
    def hears_of_all(self) -> bool:  # type: ignore[override]
        return self.inner.hears_of_all

    def _for_all(self, leave: Leave) -> Leave:
        if leave is Leave.STOP:
            self.proxy.stopped = True
        elif leave is Leave.HOLD:
            self.proxy.hold()
        return leave

    def passed_unseen(self, connection: int) -> None:
        self.inner.passed_unseen(connection)
