"""Sockets whose answers end: time-outs of sockets are for each piece, and a server may drip for ever."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.request
from types import TracebackType
from typing import Any, Self

from chaosday.processes.limits.within import LastMoment

ANSWER_BYTES = 256 << 20
DRIP_S = 10.0


class BoundedSocket(socket.socket):
    """A connected TCP socket on which what follows the last thing sent ends after so much time and so many bytes.

    For protocols that ask and answer in turn. ``TimeoutError`` and ``ConnectionAbortedError`` where a limit is reached.
    """

    _limits: tuple[float, int]
    _moment: LastMoment

    @classmethod
    def around(cls, connected: socket.socket, limit_s: float, most_bytes: int = ANSWER_BYTES) -> Self:
        """Take over a connection; the socket given is of no more use.

        ``limit_s`` is what a piece is waited for elsewhere; an answer that keeps coming has ``DRIP_S`` beyond it.
        """
        timeout_s = connected.gettimeout()
        made = cls(connected.family, connected.type, connected.proto, fileno=connected.detach())
        made._limits = limit_s + DRIP_S, most_bytes
        made.settimeout(timeout_s)
        made._begin()
        return made

    def send(self, *args: Any) -> int:
        self._begin()
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        self._begin()
        super().sendall(*args)

    def recv(self, *args: Any) -> bytes:
        self._before()
        got = super().recv(*args)
        self._count(len(got))
        return got

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._before()
        count = super().recv_into(*args, **kwargs)
        self._count(count)
        return count

    def _begin(self) -> None:
        self._moment = LastMoment(*self._limits)

    def _before(self) -> None:
        timeout_s, left_s = self.gettimeout(), self._moment.left_s()
        if left_s <= 0:
            raise TimeoutError(f"no whole answer within {self._limits[0]:g} s")
        if timeout_s is None or timeout_s > left_s:
            self.settimeout(left_s)

    def _count(self, count: int) -> None:
        if not self._moment.take(count):
            raise ConnectionAbortedError(f"an answer of more than {self._limits[1]} bytes")


def bounded_tls(limit_s: float, most_bytes: int = ANSWER_BYTES) -> type[ssl.SSLSocket]:
    """The same for what is encrypted: a class of sockets for a context (``sslsocket_class``)."""

    class BoundedTls(ssl.SSLSocket):
        _moment: LastMoment | None = None

        def send(self, *args: Any) -> int:
            self._moment = None
            return super().send(*args)

        def sendall(self, *args: Any) -> None:
            self._moment = None
            super().sendall(*args)

        def read(self, *args: Any) -> Any:
            if self._moment is None:
                self._moment = LastMoment(limit_s + DRIP_S, most_bytes)
            timeout_s, left_s = self.gettimeout(), self._moment.left_s()
            if left_s <= 0:
                raise TimeoutError(f"no whole answer within {limit_s + DRIP_S:g} s")
            if timeout_s is None or timeout_s > left_s:
                self.settimeout(left_s)
            got = super().read(*args)
            if not self._moment.take(got if isinstance(got, int) else len(got)):
                raise ConnectionAbortedError(f"an answer of more than {most_bytes} bytes")
            return got

    return BoundedTls


class BoundedConnection(http.client.HTTPConnection):
    """A connection of the standard library's client on which each answer has ``timeout`` as a whole; not for TLS."""

    def connect(self) -> None:
        super().connect()
        assert self.timeout is not None
        self.sock = BoundedSocket.around(self.sock, self.timeout)


class BoundedTlsConnection(http.client.HTTPSConnection):
    """The same over TLS."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext) -> None:
        context.sslsocket_class = bounded_tls(timeout)
        super().__init__(host, port, timeout=timeout, context=context)


class Cutter:
    """Cuts the connections that were made under it when ``limit_s`` is over; a context manager.

    For protocols in which a library reads piece after piece, encrypted ones too: whoever reads then finds the end.
    """

    def __init__(self, limit_s: float) -> None:
        self.over = False
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(limit_s, self._cut)
        self._timer.daemon = True

    def watch(self, connected: socket.socket) -> socket.socket:
        """One connection more; given back as it is."""
        with self._lock:
            self._held.append(connected.dup())
        if self.over:
            self._cut()
        return connected

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            while self._held:
                self._held.pop().close()

    def _cut(self) -> None:
        with self._lock:
            self.over = True
            for each in self._held:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it has ended by itself


class CutConnection(http.client.HTTPConnection):
    """A connection of the standard library's client that a cutter watches from its first byte on."""

    def __init__(self, *args: Any, cutter: Cutter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _watched(self, cutter)


class CutTlsConnection(http.client.HTTPSConnection):
    """The same over TLS."""

    def __init__(self, *args: Any, cutter: Cutter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _watched(self, cutter)


def _watched(connection: Any, cutter: Cutter) -> None:
    connect = connection._create_connection
    connection._create_connection = lambda *args, **kwargs: cutter.watch(connect(*args, **kwargs))


class _Http(urllib.request.HTTPHandler):
    def __init__(self, cutter: Cutter) -> None:
        super().__init__()
        self._cutter = cutter

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(CutConnection, request, cutter=self._cutter)  # type: ignore[arg-type]


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, cutter: Cutter, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self._cutter = cutter
        self._told = {"context": context} if context else {}

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(CutTlsConnection, request, cutter=self._cutter, **self._told)  # type: ignore[arg-type]


def handlers(cutter: Cutter, context: ssl.SSLContext | None = None) -> tuple[urllib.request.BaseHandler, ...]:
    """For ``urllib.request.build_opener``: every connection, those of redirects too, is watched by ``cutter``."""
    return _Http(cutter), _Https(cutter, context)
