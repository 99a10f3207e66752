"""One socket of the proxy's: bytes out of it and into it without a thread, with TLS or without."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import ssl
import struct

from chaosday.mechanisms.http_proxy.strand import Over, Ready

_BUFFER = bytearray(256 << 10)
_VIEW = memoryview(_BUFFER)
_TURN_BYTES = 2 << 20
_PIPE_BYTES = 1 << 20
_PIPES: list[tuple[int, int]] = []
"""Pipes that are empty and wait for their next use."""
_RESET = struct.pack("ii", 1, 0)
_LATER = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Lost(Over):
    """A peer's connection broke: a reset, or anything else that is no orderly end."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("connection lost")
        self.wire = wire


class Wire:
    """A socket of which one coroutine reads at a time, and one writes."""

    def __init__(self, wire: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self._fd = wire.fileno()
        self._held = b""
        self._waits: Ready | None = None
        self._watched = False
        self._turn = 0
        self._short = False
        self.broken = False
        """Whether it failed while we sent; what its peer had sent before can still be read."""

    async def some(self) -> memoryview:
        """What has come, at least a byte; empty at the end of the stream. To be used before the next ``await``."""
        if self._held:
            held, self._held = self._held, b""
            return memoryview(held)
        if self._turn > _TURN_BYTES:
            self._turn = 0
            await asyncio.sleep(0)  # a fast peer is not the only one
        if self._short:
            await self._readable()  # the last time there was no more than what was read
        while True:
            try:
                size = self._wire.recv_into(_BUFFER)
            except _LATER as reason:
                self._turn = 0
                await self._ready(reason)
                continue
            except OSError:
                raise Lost(self) from None
            self._turn += size
            self._short = size < len(_BUFFER) and not isinstance(self._wire, ssl.SSLSocket)
            return _VIEW[:size]

    def give_back(self, piece: memoryview) -> None:
        """Let the next reader see these bytes first."""
        if piece:
            self._held = bytes(piece) + self._held

    @property
    def plain(self) -> bool:
        """Whether bytes can go to or from it without our seeing them."""
        return not self._held and not isinstance(self._wire, ssl.SSLSocket)

    async def readable(self) -> None:
        """Return once there is something to read, or ``poke`` was called."""
        pending = isinstance(self._wire, ssl.SSLSocket) and self._wire.pending()
        if not self._held and not pending:
            await self._readable()
            self._short = False

    def at_once(self) -> memoryview | None:
        """What has come, or an end (empty), or None where there is nothing yet."""
        if self._held:
            held, self._held = self._held, b""
            return memoryview(held)
        try:
            return _VIEW[: self._wire.recv_into(_BUFFER)]
        except _LATER:
            return None
        except OSError:
            raise Lost(self) from None

    def poke(self) -> None:
        """Let whoever waits in ``readable`` look around."""
        if self._waits is not None:
            self._loop.call_soon(self._waits.come)  # not now: the caller may be in the middle of a piece

    async def move(self, sink: Wire, most: int) -> int:
        """Between one and ``most`` bytes to ``sink`` inside the kernel, both being plain; none at the end."""
        if self._turn > _TURN_BYTES:
            self._turn = 0
            await asyncio.sleep(0)
        pipe = _PIPES.pop() if _PIPES else _pipe()
        while True:
            try:
                size = os.splice(self._fd, pipe[1], min(most, _PIPE_BYTES), flags=os.SPLICE_F_NONBLOCK)
                break
            except BlockingIOError:
                self._turn = 0
                _PIPES.append(pipe)
                await self._readable()
                pipe = _PIPES.pop() if _PIPES else _pipe()
            except OSError:
                _PIPES.append(pipe)
                raise Lost(self) from None
        self._turn += size
        with contextlib.ExitStack() as unless_drained:
            # What it still holds is of this connection and no other.
            unless_drained.callback(os.close, pipe[0])
            unless_drained.callback(os.close, pipe[1])
            await sink._drain(pipe[0], size)
            unless_drained.pop_all()
        _PIPES.append(pipe)
        return size

    async def _drain(self, pipe: int, size: int) -> None:
        while size:
            try:
                size -= os.splice(pipe, self._fd, size, flags=os.SPLICE_F_NONBLOCK)
            except BlockingIOError:
                await self._writable()
            except OSError:
                self.broken = True
                raise Lost(self) from None

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of it; what the socket does not take at once is copied."""
        try:
            sent = self._wire.send(data)
        except _LATER:
            sent = 0
        except OSError:
            self.broken = True
            raise Lost(self) from None
        if sent < len(data):
            await self._send_rest(memoryview(bytes(data[sent:])))

    async def end(self) -> None:
        """Say that we send no more; the peer may go on."""
        if isinstance(self._wire, ssl.SSLSocket):
            # close_notify; that the peer's is not there yet is no error.
            with contextlib.suppress(OSError, ValueError):
                self._wire.unwrap()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._wire, socket.SHUT_WR)

    def close(self, *, reset: bool = False) -> None:
        """Close it; ``reset``: half a message must never look like a whole one."""
        if self._wire.fileno() < 0:
            return
        self._unwatch()
        if reset:
            with contextlib.suppress(OSError):
                self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._wire.close()

    async def peek(self, most: int, *, beyond: int = 0) -> bytes:
        """The first bytes, left where they are: more than ``beyond``, or no more will come."""
        try:
            if beyond:
                # Not ready before there is more, or an end; what the loop has seen until now is neither.
                self._unwatch()
                self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, beyond + 1)
                await self._readable()
                self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            while True:
                try:
                    return self._wire.recv(most, socket.MSG_PEEK)
                except _LATER:
                    await self._readable()
        except OSError:
            raise Lost(self) from None

    async def secure(self, context: ssl.SSLContext, *, server_side: bool, name: str = "") -> str:
        """Speak TLS from now on; the protocol that was agreed on, or nothing.

        ``ssl.SSLError`` where the handshake fails, ``Lost`` where the peer breaks it off.
        """
        self._unwatch()
        try:
            wrapped = context.wrap_socket(
                self._wire, server_side=server_side, server_hostname=name or None, do_handshake_on_connect=False
            )
            self._wire = wrapped
            while True:
                try:
                    wrapped.do_handshake()
                    return wrapped.selected_alpn_protocol() or ""
                except _LATER as reason:
                    await self._ready(reason)
        except ssl.SSLError:
            raise
        except OSError as error:
            raise Lost(self) from error

    async def _send_rest(self, rest: memoryview) -> None:
        while rest:
            try:
                rest = rest[self._wire.send(rest) :]
            except ssl.SSLWantReadError:
                await self._readable()
            except _LATER:
                await self._writable()
            except OSError:
                self.broken = True
                raise Lost(self) from None

    async def _ready(self, reason: Exception) -> None:
        await (self._writable() if isinstance(reason, ssl.SSLWantWriteError) else self._readable())

    async def _readable(self) -> None:
        waits = self._waits = Ready(loop=self._loop)
        if not self._watched:
            self._loop.add_reader(self._fd, self._came)
            self._watched = True
        await waits

    def _came(self) -> None:
        if self._waits is None or self._waits.done():
            # Nobody wants it now: it stays in the socket, and its sender waits.
            self._unwatch()
        else:
            self._waits.come()

    def _unwatch(self) -> None:
        if self._watched:
            self._loop.remove_reader(self._fd)
            self._watched = False

    async def _writable(self) -> None:
        waits = Ready(loop=self._loop)
        self._loop.add_writer(self._fd, waits.come)
        try:
            await waits
        finally:
            self._loop.remove_writer(self._fd)


def _pipe() -> tuple[int, int]:
    ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    # A user may have used up what the system allows of it: then it stays small.
    with contextlib.suppress(OSError):
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ends
