"""Measuring a route from outside the proxy, with sockets of our own at its ends.

The answer time needs no protocol: a client says that it will send no more, and a server that hears of it
closes. Both go through the route as any bytes do, so that the wait is one round trip and the server's own
time. Throughput cannot be had from a server whose protocol we do not speak; the route therefore leads that
one connection to an answerer of ours, through the same stages as all the others.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence

_PIECE = bytes(64 * 1024)


def answer_time(address: tuple[str, int], hello: bytes, timeout_s: float) -> float | None:
    """Seconds from asking to the first answer (or the server's close); None if none came within ``timeout_s``.

    A reset counts as no answer. ``hello`` is sent and its answer waited for; empty half-closes instead.
    """
    try:
        with socket.create_connection(address, timeout_s) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            began = time.perf_counter()
            if hello:
                connection.sendall(hello)
                answered = connection.recv(1) != b""
            else:
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    connection.settimeout(max(0.001, timeout_s - (time.perf_counter() - began)))
                answered = True
            return time.perf_counter() - began if answered else None
    except OSError:
        return None


def any_reset(connections: Sequence[socket.socket], timeout_s: float) -> bool:
    """Whether one of these is reset within ``timeout_s``; an orderly end or silence is not a reset."""
    until = time.monotonic() + timeout_s
    waiting = list(connections)
    while waiting and (left := until - time.monotonic()) > 0:
        for connection in select.select(waiting, [], [], left)[0]:
            try:
                if not connection.recv(4096):
                    waiting.remove(connection)
            except ConnectionResetError:
                return True
    return False


def throughput(
    address: tuple[str, int],
    divert: Callable[[int, tuple[str, int]], None],
    direction: str,
    size_bytes: int,
    timeout_s: float,
) -> float:
    """Bytes a second seen by the receiving end of ``size_bytes`` sent ``upstream`` or ``downstream``.

    ``divert(port, answerer)`` asks the route to lead the connection from that client port to the answerer.
    What arrived when the time was up is what is counted.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening, _client_socket(address) as client:
        listening.settimeout(timeout_s)
        divert(client.getsockname()[1], listening.getsockname()[:2])
        client.settimeout(timeout_s)
        client.connect(address)
        try:
            server, _ = listening.accept()
        except TimeoutError:
            return 0.0
        with server:
            sender, receiver = (client, server) if direction == "upstream" else (server, client)
            thread = threading.Thread(target=_send, args=(sender, size_bytes), daemon=True)
            began = time.perf_counter()
            thread.start()
            received = _receive(receiver, size_bytes, began + timeout_s)
            took = time.perf_counter() - began
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            thread.join()
            return received / took


def _client_socket(address: tuple[str, int]) -> socket.socket:
    """A socket whose port is known before it connects."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    client.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    return client


def _send(connection: socket.socket, size_bytes: int) -> None:
    left = size_bytes
    with contextlib.suppress(OSError):
        while left > 0:
            left -= connection.send(_PIECE[: min(left, len(_PIECE))])


def _receive(connection: socket.socket, size_bytes: int, until: float) -> int:
    received = 0
    while received < size_bytes and (left := until - time.perf_counter()) > 0:
        connection.settimeout(left)
        try:
            piece = connection.recv(65536)
        except OSError:
            break
        if not piece:
            break
        received += len(piece)
    return received
