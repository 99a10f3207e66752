"""HTTP/1.1 as far as a proxy needs it: heads kept byte for byte, bodies as a stream of pieces (RFC 9112)."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

MAX_HEAD_BYTES = 64 << 10
PIECE_BYTES = 256 << 10
# Responses to these never have a body, whatever their headers say (RFC 9110, 6.4.1).
BODILESS = (204, 304)
_REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\0-\x20\x7f]+ HTTP/[0-9]\.[0-9]")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*")
_CODED = {"gzip", "x-gzip", "deflate", "compress", "x-compress"}
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Broken(Exception):
    """The peer closed in the middle of a message, or sent what is not HTTP/1.1."""


@dataclass(frozen=True)
class Head:
    """A start line and header lines, exactly as they came: a signature covers their bytes."""

    raw: bytes

    @cached_property
    def lines(self) -> list[bytes]:
        return self.raw[:-4].split(b"\r\n")

    @cached_property
    def headers(self) -> dict[str, str]:
        """Lower-case name -> value; of a repeated header the last one."""
        pairs = (line.partition(b":") for line in self.lines[1:])
        return {name.decode("latin-1").lower(): value.strip().decode("latin-1") for name, _, value in pairs}

    @cached_property
    def start(self) -> tuple[str, str, str]:
        parts = self.lines[0].decode("latin-1").split(" ", 2)
        if len(parts) < 2:
            raise Broken("not a start line")
        return parts[0], parts[1], parts[2] if len(parts) == 3 else ""

    @property
    def status(self) -> int:
        word = self.start[1]
        if not word.isdigit():
            raise Broken("not a status line")
        return int(word)

    def keeps_alive(self) -> bool:
        """Whether the connection may carry another message after this one."""
        version = self.start[2] if self.start[2].startswith("HTTP/") else self.start[0]
        connection = self.headers.get("connection", "").lower()
        return "close" not in connection and (version != "HTTP/1.0" or "keep-alive" in connection)

    def every(self, name: str) -> list[str]:
        """The comma-separated members of all headers of this lower-case name, in lower case and in their order."""
        pairs = (line.partition(b":") for line in self.lines[1:])
        values = [value.decode("latin-1") for given, _, value in pairs if given.lower() == name.encode()]
        return [member.strip(" \t").lower() for value in values for member in value.split(",")]

    def chunked(self) -> bool:
        return self.every("transfer-encoding")[-1:] == ["chunked"]

    def length(self) -> int | None:
        """Content-Length, or None where there is none."""
        value = self.headers.get("content-length", "")
        return int(value) if _decimal(value) else None

    def unclear(self) -> str:
        """Why the end of this request could be seen elsewhere than we see it, or nothing.

        A service that reads other lengths than the proxy finds requests in what was a body here, and no rule has seen
        them (RFC 9112, 6.3 and 11.2).
        """
        if not _REQUEST.fullmatch(self.lines[0]) or not all(map(_FIELD.fullmatch, self.lines[1:])):
            return "a line that is none of HTTP/1"
        codings, lengths = self.every("transfer-encoding"), self.every("content-length")
        if codings and (codings[-1] != "chunked" or not set(codings[:-1]) <= _CODED):
            return "a Transfer-Encoding that does not end in chunked"
        if codings and (lengths or self.start[2] != "HTTP/1.1"):
            return "a Transfer-Encoding beside a Content-Length, or before HTTP/1.1"
        if len(set(lengths)) > 1 or not all(map(_decimal, lengths)):
            return "a Content-Length that is not one number"
        return ""

    def with_length(self, length: int) -> Head:
        """The same head with another Content-Length, every other byte untouched."""
        lines = [
            b"Content-Length: %d" % length if line.lower().startswith(b"content-length:") else line
            for line in self.lines
        ]
        return Head(b"\r\n".join(lines) + b"\r\n\r\n")

    def with_target(self, target: str) -> Head:
        """The same head asking for another request target (a proxy turns absolute-form into origin-form)."""
        method, _, version = self.start
        return Head(b"\r\n".join([f"{method} {target} {version}".encode("latin-1"), *self.lines[1:]]) + b"\r\n\r\n")


class Stream:
    """A socket with what was read from it but not used yet; without a socket it serves only what it holds."""

    def __init__(self, wire: socket.socket | None, held: bytes = b"") -> None:
        self._wire = wire
        self._held = held

    @property
    def wire(self) -> socket.socket:
        if self._wire is None:
            raise Broken("the end of what was held")
        return self._wire

    def give_back(self, data: bytes) -> None:
        """Let the next reader see ``data`` first."""
        self._held = data + self._held

    def waiting(self) -> bool:
        """Whether bytes are at hand without asking the kernel."""
        pending = getattr(self.wire, "pending", None)
        return bool(self._held) or bool(pending and pending())

    def head(self) -> Head | None:
        """The next head; None when the peer closed between two messages."""
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > MAX_HEAD_BYTES:
                raise Broken("a head of more than 64 KiB")
            more = self.wire.recv(MAX_HEAD_BYTES)
            if not more:
                if self._held.strip():
                    raise Broken("closed in the middle of a head")
                return None
            self._held = (self._held + more).lstrip(b"\r\n") if not self._held else self._held + more
        head, self._held = Head(self._held[: end + 4]), self._held[end + 4 :]
        return head

    def some(self, most: int) -> bytes:
        """Between one and ``most`` bytes; empty at the end of the stream."""
        if self._held:
            piece, self._held = self._held[:most], self._held[most:]
            return piece
        return self.wire.recv(min(most, PIECE_BYTES))

    def line(self) -> bytes:
        while (end := self._held.find(b"\r\n")) < 0:
            more = self.wire.recv(4096)
            if not more or len(self._held) > MAX_HEAD_BYTES:
                raise Broken("closed in the middle of a line")
            self._held += more
        line, self._held = self._held[:end], self._held[end + 2 :]
        return line

    def counted(self, length: int) -> Iterator[bytes]:
        """The pieces of a body of ``length`` bytes."""
        left = length
        while left:
            piece = self.some(left)
            if not piece:
                raise Broken(f"closed {left} bytes before the end of a body")
            left -= len(piece)
            yield piece

    def chunks(self) -> Iterator[bytes]:
        """The data of a chunked body; chunk extensions and trailers are dropped."""
        while True:
            word = self.line().split(b";")[0].strip()
            if not _CHUNK_SIZE.fullmatch(word):
                raise Broken("not a chunk size")
            size = int(word, 16)
            if size == 0:
                while self.line():
                    pass
                return
            yield from self.counted(size)
            if self.line():
                raise Broken("more in a chunk than its size says")

    def rest(self) -> Iterator[bytes]:
        """Everything until the peer closes."""
        while piece := self.some(PIECE_BYTES):
            yield piece


def _decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


def request_body(head: Head, stream: Stream) -> Iterator[bytes]:
    """The pieces of a request's body."""
    if head.chunked():
        return stream.chunks()
    return stream.counted(head.length() or 0)


def response_body(head: Head, method: str, stream: Stream) -> Iterator[bytes]:
    """The pieces of the body of the response to a ``method`` request."""
    if method == "HEAD" or head.status in BODILESS or head.status < 200:
        return iter(())
    if head.chunked():
        return stream.chunks()
    length = head.length()
    return stream.rest() if length is None else stream.counted(length)
