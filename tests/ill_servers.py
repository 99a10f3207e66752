"""Servers that are ill: they log their clients in, as far as the protocol has it, and then do them no good."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOODS = ("silent", "dripping", "endless", "closing", "garbled")
DRIP_S, FLOOD_S = 0.2, 0.02
CHUNK = 1 << 16


@dataclass(frozen=True)
class Protocol:
    """How far a server plays along: ``greet`` until the client is in, ``answer`` is the beginning of an answer to
    whatever is asked then, and ``piece`` what may go on in it for ever."""

    greet: Callable[[socket.socket], None]
    answer: bytes
    piece: bytes = b"x"


class IllServer:
    """One port, one protocol, one mood; a context manager."""

    def __init__(self, protocol: Protocol, mood: str) -> None:
        self._protocol, self._mood = protocol, mood
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> IllServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, struct.error), client:
            self._protocol.greet(client)
            if self._mood == "closing":
                return
            if self._mood == "garbled":
                client.sendall(random.Random(7).randbytes(4 * CHUNK))
                return
            if self._mood != "silent":
                client.sendall(self._protocol.answer)
            # Faster than anybody should read, and slow enough for a hundred of them on one machine.
            many = self._protocol.piece * (CHUNK // len(self._protocol.piece) or 1)
            while not self._over.wait(FLOOD_S if self._mood == "endless" else DRIP_S):
                if self._mood != "silent":
                    client.sendall(self._protocol.piece if self._mood == "dripping" else many)


def nothing(client: socket.socket) -> None:
    """For protocols in which the client speaks first, and is answered."""
    client.recv(CHUNK)


def _postgresql(client: socket.socket) -> None:
    while True:
        length, code = struct.unpack("!ii", _exactly(client, 8))
        if code in (80877103, 80877104):  # TLS or GSSAPI, which are declined
            client.sendall(b"N")
            continue
        _exactly(client, length - 8)
        break
    settings = {b"server_version": b"15.1", b"client_encoding": b"UTF8", b"standard_conforming_strings": b"on"}
    said = b"".join(_message(b"S", name + b"\0" + value + b"\0") for name, value in settings.items())
    client.sendall(_message(b"R", struct.pack("!i", 0)) + said + _message(b"Z", b"I"))
    client.recv(CHUNK)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _mysql(client: socket.socket) -> None:
    salt = b"12345678"
    greeting = b"\x0a10.11.0-MariaDB\0" + struct.pack("<i", 1) + salt + b"\0" + struct.pack("<H", 0xF7FF) + b"\x21"
    greeting += struct.pack("<HH", 2, 0x81FF) + bytes([21]) + bytes(10) + b"123456789012\0mysql_native_password\0"
    client.sendall(_packet(0, greeting))
    client.recv(CHUNK)
    client.sendall(_packet(2, b"\0\0\0\2\0\0\0"))
    client.recv(CHUNK)  # SET NAMES
    client.sendall(_packet(1, b"\0\0\0\2\0\0\0"))
    client.recv(CHUNK)


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _redis(client: socket.socket) -> None:
    said = client.recv(CHUNK)
    while b"PING" not in said:
        client.sendall(b"+OK\r\n" * said.count(b"CLIENT") or b"-ERR unknown command\r\n")
        said = client.recv(CHUNK)
    client.sendall(b"+OK\r\n" * said.count(b"CLIENT") + b"+PONG\r\n")
    client.recv(CHUNK)


def _nats(client: socket.socket) -> None:
    client.sendall(
        b'INFO {"server_id":"x","version":"2.9.0","proto":1,"jetstream":true,"headers":true,"max_payload":1048576}\r\n'
    )
    while b"PING" not in client.recv(CHUNK):
        continue
    client.sendall(b"PONG\r\n")
    client.recv(CHUNK)


def _rabbitmq(client: socket.socket) -> None:
    from pika import frame, spec

    def tell(method: object, channel: int = 0) -> None:
        client.sendall(frame.Method(channel, method).marshal())

    _exactly(client, 8)
    tell(spec.Connection.Start(server_properties={"version": "3"}, mechanisms="PLAIN", locales="en_US"))
    client.recv(CHUNK)
    tell(spec.Connection.Tune(0, 131072, 0))
    client.recv(CHUNK)  # tune-ok and open come in one piece, or in two
    tell(spec.Connection.OpenOk())
    client.recv(CHUNK)


def _exactly(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        piece = client.recv(count - len(got))
        if not piece:
            raise ConnectionError("the client is gone")
        got += piece
    return got


_ROW = _message(b"T", struct.pack("!h", 1) + b"a\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0))
PROTOCOLS = {
    "mute": Protocol(lambda client: None, b"\0", b"\0"),
    "http": Protocol(nothing, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", b"<a>"),
    "http-headers": Protocol(nothing, b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "http-deep": Protocol(nothing, b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"[" * 400_000, b"["),
    "http-astray": Protocol(nothing, b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"),
    "postgresql": Protocol(_postgresql, _ROW, _message(b"D", struct.pack("!hi", 1, 4) + b"1234")),
    "mysql": Protocol(_mysql, _packet(1, b"\1"), b"\xff\xff\xff\0"),
    "redis": Protocol(_redis, b"$9999999999\r\n"),
    "nats": Protocol(_nats, b"MSG x 1 9999999999\r\n"),
    "rabbitmq": Protocol(_rabbitmq, b"\1\0\0\x7f\xff\xff\xff"),
    "lines": Protocol(nothing, b'{"result": "'),
}  # fmt: skip


@contextlib.contextmanager
def ill_servers() -> Iterator[dict[tuple[str, str], int]]:
    """The port of one of each protocol and mood."""
    with contextlib.ExitStack() as stack:
        yield {
            (name, mood): stack.enter_context(IllServer(protocol, mood)).port
            for name, protocol in PROTOCOLS.items()
            for mood in MOODS
        }


def ill_file(folder: Path, mood: str) -> Path:
    """What lies where a file was expected: a pipe that nobody writes into, or bytes that mean nothing."""
    import os

    path = folder / f"{mood}.file"
    if mood == "silent":
        os.mkfifo(path)
    else:
        path.write_bytes(random.Random(3).randbytes(CHUNK))
    return path
