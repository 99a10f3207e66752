"""Conversations over raw sockets, played step by step: what one end does, the other end has to see.

A step is written once and observed at its receiver, so that the same script, played directly and through a
proxy, gives two transcripts that must be equal.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import select
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PATIENCE_S = 60.0
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Step:
    """``way`` is ``>`` (client to server), ``<`` or ``<>`` (both at once); ``act`` bytes, FIN, RST, CLOSE or URGENT."""

    way: str
    act: str
    data: bytes = b""


def up(data: bytes | str) -> Step:
    """The client sends."""
    return Step(">", "bytes", data.encode() if isinstance(data, str) else data)


def down(data: bytes | str) -> Step:
    """The server sends."""
    return Step("<", "bytes", data.encode() if isinstance(data, str) else data)


UP_FIN, UP_RST, UP_CLOSE = Step(">", "FIN"), Step(">", "RST"), Step(">", "CLOSE")
DOWN_FIN, DOWN_RST, DOWN_CLOSE = Step("<", "FIN"), Step("<", "RST"), Step("<", "CLOSE")


def unread(way: str, data: bytes) -> Step:
    """Bytes that arrive and that the receiver does not take out of its socket."""
    return Step(way, "unread", data)


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that repeat nowhere."""
    return random.Random(seed).randbytes(size)


def play(steps: Sequence[Step], listening: socket.socket, address: tuple[str, int], patience_s: float) -> list[str]:
    """Play a script from a new client of ``address`` to the server at ``listening``; what was seen, a line a step."""
    seen = []
    with contextlib.ExitStack() as ends:
        client = ends.enter_context(_client(address, patience_s))
        listening.settimeout(patience_s)
        try:
            server, _ = listening.accept()
        except OSError:
            return ["the server never saw the client"]
        ends.enter_context(server)
        server.settimeout(patience_s)
        for wire in (client, server):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, step in enumerate(steps):
            ways = [(client, server)] if step.way == ">" else [(server, client)]
            if step.way == "<>":
                ways = [(client, server), (server, client)]
            seen += [f"{number}{step.way} {line}" for line in _both(step, ways)]
            if "no end" in seen[-1] or "silence" in seen[-1]:
                break
    return seen


def _client(address: tuple[str, int], patience_s: float) -> socket.socket:
    return socket.create_connection(address, patience_s)


def _both(step: Step, ways: list[tuple[socket.socket, socket.socket]]) -> list[str]:
    found: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda at=at, way=way: found.update({at: _one(step, *way)}), daemon=True)
        for at, way in enumerate(ways)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[at] for at in sorted(found)]


def _one(step: Step, sender: socket.socket, receiver: socket.socket) -> str:
    if step.act in ("bytes", "unread"):
        sending = threading.Thread(target=_send, args=(sender, step.data), daemon=True)
        sending.start()
        peek = socket.MSG_PEEK | socket.MSG_WAITALL if step.act == "unread" else 0
        line = _taken(receiver, len(step.data), peek)
        sending.join()
        return line if line != _said(step.data) else "as sent"
    if step.act == "URGENT":
        sender.send(step.data, socket.MSG_OOB)
        return _urgent(receiver)
    _end(sender, step.act)
    return _ending(receiver)


def _send(sender: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sender.sendall(data)


def _end(sender: socket.socket, act: str) -> None:
    if act == "FIN":
        sender.shutdown(socket.SHUT_WR)
        return
    if act == "RST":
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sender.close()


def _taken(receiver: socket.socket, size: int, flags: int) -> str:
    got = b""
    try:
        while len(got) < size:
            piece = receiver.recv(size - len(got), flags)
            if not piece:
                return f"{_said(got)} then FIN"
            got += piece
    except TimeoutError:
        return f"{_said(got)} then silence"
    except OSError:
        return f"{_said(got)} then RST"
    return _said(got)


def _ending(receiver: socket.socket) -> str:
    got = b""
    try:
        while piece := receiver.recv(65536):
            got += piece
        return f"{_said(got)} then FIN"
    except TimeoutError:
        return f"{_said(got)} then no end"
    except OSError:
        return f"{_said(got)} then RST"


def _urgent(receiver: socket.socket) -> str:
    patience_s = receiver.gettimeout() or PATIENCE_S
    poll = select.poll()
    poll.register(receiver, select.POLLPRI)
    if not poll.poll(patience_s * 1000):
        return "silence where an urgent byte was due"
    # With a timeout Python would wait for ordinary bytes first.
    receiver.setblocking(False)
    byte = receiver.recv(1, socket.MSG_OOB)
    receiver.settimeout(patience_s)
    return f"urgent {byte!r}"


def _said(got: bytes) -> str:
    if len(got) <= 64:
        return repr(got)
    return f"{len(got)} bytes {hashlib.sha256(got).hexdigest()[:12]}"


@contextlib.contextmanager
def listening_on(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A server's socket of the script's own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=16) as listening:
        yield listening
