"""Measuring a route from outside the proxy, with sockets of our own at its ends.

The answer time needs no protocol: a client says that it will send no more, and a server that hears of it
closes. Both go through the route as any bytes do, so that the wait is one round trip and the server's own
time. Throughput cannot be had from a server whose protocol we do not speak; the route therefore leads that
one connection to an answerer of ours, through the same stages as all the others.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from chaosday.model.target import Transfer


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


def refused(address: tuple[str, int], timeout_s: float = 2) -> bool:
    """Whether a connection is refused by the kernel, as it is where nobody listens."""
    try:
        socket.create_connection(address, timeout_s).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def transfer(
    address: tuple[str, int],
    divert: Callable[[int, tuple[str, int]], None],
    direction: str,
    size_bytes: int,
    timeout_s: float,
) -> Transfer:
    """Send ``size_bytes`` known bytes and the end ``upstream`` or ``downstream``; what comes within ``timeout_s``.

    ``divert(port, answerer)`` asks the route to lead the connection from that client port to the answerer.
    """
    nothing = Transfer(sent_bytes=size_bytes, received_bytes=0, intact=True, seconds=0)
    with socket.create_server(("127.0.0.1", 0)) as listening, _client_socket(address) as client:
        listening.settimeout(timeout_s)
        divert(client.getsockname()[1], listening.getsockname()[:2])
        client.settimeout(timeout_s)
        try:
            client.connect(address)
            server, _ = listening.accept()
        except OSError:
            return nothing
        with server:
            sender, receiver = (client, server) if direction == "upstream" else (server, client)
            payload = random.Random(size_bytes).randbytes(size_bytes)
            thread = threading.Thread(target=_send, args=(sender, payload), daemon=True)
            thread.start()
            came = _receive(receiver, payload, timeout_s)
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            thread.join()
            return came


def _client_socket(address: tuple[str, int]) -> socket.socket:
    """A socket whose port is known before it connects."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    client.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    return client


def _send(connection: socket.socket, payload: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(payload)
        connection.shutdown(socket.SHUT_WR)


def _receive(receiver: socket.socket, payload: bytes, timeout_s: float) -> Transfer:
    began = last = time.perf_counter()
    received, largest, intact = 0, 0, True
    end: Literal["orderly", "reset", "none"] = "none"
    while (left := began + timeout_s - time.perf_counter()) > 0:
        receiver.settimeout(left)
        try:
            piece = receiver.recv(65536)
        except TimeoutError:
            break
        except OSError:
            end = "reset"
            break
        if not piece:
            end = "orderly"
            break
        last = time.perf_counter()
        intact = intact and payload[received : received + len(piece)] == piece
        received += len(piece)
        largest = max(largest, len(piece))
    return Transfer(
        sent_bytes=len(payload),
        received_bytes=received,
        intact=intact,
        seconds=last - began,
        largest_piece_bytes=largest,
        end=end,
        end_after_s=time.perf_counter() - last,
    )
