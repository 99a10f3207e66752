"""HTTP/1.1 as far as a proxy needs it: where a message ends, while its bytes are passed on as they came (RFC 9112).

A reader is given what arrived and says how much of it is its own. What it does not understand it takes as bytes
until the close, so that a proxy without a rule changes nothing, whatever its peers speak.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from chaosday.mechanisms.http_proxy.strand import Over

MAX_HEAD_BYTES = 4 << 20
MAX_LINE_BYTES = 64 << 10
# Responses to these never have a body, whatever their headers say (RFC 9110, 6.4.1).
BODILESS = (204, 304)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\0-\x20\x7f]+ HTTP/1\.[0-9]")
_RESPONSE = re.compile(rb"HTTP/1\.[0-9] [0-9]{3}( [^\r\n]*)?")
_TOKEN_SO_FAR = re.compile(rb"[!#$%&'*+./^_`|~0-9A-Za-z-]*( |\Z)")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*")
_LONE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_CODED = {"gzip", "x-gzip", "deflate", "compress", "x-compress"}
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Broken(Over):
    """What a peer sent must not be passed on."""


@dataclass(frozen=True)
class Head:
    """A start line and header lines, exactly as they came: a signature covers their bytes."""

    raw: bytes

    @cached_property
    def lines(self) -> list[bytes]:
        return [line.removesuffix(b"\r") for line in self.raw.strip(b"\r\n").split(b"\n")]

    @cached_property
    def headers(self) -> dict[str, str]:
        """Lower-case name -> value; of a repeated header the last one."""
        pairs = (line.partition(b":") for line in self.lines[1:])
        return {name.decode("latin-1").lower(): value.strip().decode("latin-1") for name, _, value in pairs}

    @cached_property
    def start(self) -> tuple[str, str, str]:
        first, second, *third = [*self.lines[0].decode("latin-1").split(" ", 2), "", ""]
        return first, second, third[0]

    @property
    def status(self) -> int:
        word = self.start[1]
        return int(word) if word.isdigit() else 0

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
        return "transfer-encoding" in self.headers and self.every("transfer-encoding")[-1:] == ["chunked"]

    def length(self) -> int | None:
        """Content-Length, or None where there is none, or where there are several that differ."""
        value = self.headers.get("content-length", "")
        if self.raw.lower().count(b"\ncontent-length:") > 1 and len(set(self.every("content-length"))) > 1:
            return None
        return int(value) if _decimal(value) else None

    def unclear(self) -> str:
        """Why the end of this request could be seen elsewhere than we see it, or nothing.

        A service that reads other lengths than the proxy finds requests in what was a body here, and no rule has seen
        them (RFC 9112, 6.3 and 11.2).
        """
        if not _REQUEST.fullmatch(self.lines[0]) or not all(map(_FIELD.fullmatch, self.lines[1:])):
            return "a line that is none of HTTP/1"
        if _LONE_LINE_FEED.search(self.raw):
            return "a line that ends in a line feed alone"
        codings, lengths = self.every("transfer-encoding"), self.every("content-length")
        if codings and (codings[-1] != "chunked" or not set(codings[:-1]) <= _CODED):
            return "a Transfer-Encoding that does not end in chunked"
        if codings and (lengths or self.start[2] != "HTTP/1.1"):
            return "a Transfer-Encoding beside a Content-Length, or before HTTP/1.1"
        if len(set(lengths)) > 1 or not all(map(_decimal, lengths)):
            return "a Content-Length that is not one number"
        return ""

    def switches(self) -> bool:
        """Whether what follows this request may be another protocol."""
        return self.start[0] == "CONNECT" or "upgrade" in self.headers

    def waits_for_100(self) -> bool:
        return self.headers.get("expect", "").lower() == "100-continue"

    def with_length(self, length: int) -> Head:
        """The same head with another Content-Length, every other byte untouched."""
        lines = [
            b"Content-Length: %d" % length if line.lower().startswith(b"content-length:") else line
            for line in self.lines
        ]
        return Head(b"\r\n".join(lines) + b"\r\n\r\n")

    def with_target(self, target: str) -> Head:
        """The same head asking for another request target (a proxy turns absolute-form into origin-form)."""
        before, (method, _, version) = self.raw[: -len(self.raw.lstrip(b"\r\n"))], self.start
        first = before + f"{method} {target} {version}".encode("latin-1")
        return Head(b"\r\n".join([first, *self.lines[1:]]) + b"\r\n\r\n")


class HeadReader:
    """Takes bytes until a head is whole; ``head`` is there then, or ``refused`` says that it is none."""

    def __init__(self, *, request: bool) -> None:
        self._start = _REQUEST if request else _RESPONSE
        self._raw = bytearray()
        self.head: Head | None = None
        self.refused = False

    @property
    def line(self) -> bytes:
        """The start line as far as it came."""
        return bytes(self._raw.lstrip(b"\r\n").partition(b"\n")[0]).removesuffix(b"\r")

    @property
    def done(self) -> bool:
        return self.head is not None or self.refused

    def take(self, piece: memoryview) -> int:
        """How many of these bytes belong to the head; all of them where it goes on, or is none."""
        before = len(self._raw)
        self._raw += piece
        # A client may send empty lines before its request (RFC 9112, 2.2).
        begins = len(self._raw) - len(self._raw.lstrip(b"\r\n"))
        end = _HEAD_END.search(self._raw, max(begins, before - 3))
        self.refused = self._is_none(begins) or (end is None and len(self._raw) > MAX_HEAD_BYTES)
        if self.refused or end is None:
            return len(piece)
        self.head = Head(bytes(self._raw[: end.end()]))
        return end.end() - before

    def _is_none(self, begins: int) -> bool:
        end = self._raw.find(b"\n", begins)
        if end < 0:
            return _TOKEN_SO_FAR.match(self._raw, begins) is None
        return self._start.fullmatch(bytes(self._raw[begins:end]).removesuffix(b"\r")) is None


class Body(Protocol):
    """Takes the bytes of one body; ``done`` once it has all of them."""

    done: bool

    @property
    def ahead(self) -> int:
        """How many of the bytes that come next are surely data, so that nobody has to look at them."""
        ...

    def skip(self, size: int) -> None:
        """So many of those have gone by."""

    def take(self, piece: memoryview, data: list[bytes] | None = None) -> int:
        """How many of these bytes are the body's; what of them is data, and not framing, is added to ``data``."""
        ...


class Counted:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    @property
    def ahead(self) -> int:
        return self._left

    def skip(self, size: int) -> None:
        self._left -= size
        self.done = self._left == 0

    def take(self, piece: memoryview, data: list[bytes] | None = None) -> int:
        size = min(self._left, len(piece))
        self.skip(size)
        if data is not None and size:
            data.append(bytes(piece[:size]))
        return size


class UntilClose:
    """A body that ends with the connection: also everything that is not understood."""

    done = False
    ahead = 0

    def skip(self, size: int) -> None:
        return

    def take(self, piece: memoryview, data: list[bytes] | None = None) -> int:
        if data is not None and piece:
            data.append(bytes(piece))
        return len(piece)


class Chunked:
    """A chunked body, with its extensions and trailers; ``tail`` is its last chunk and what follows, as it came."""

    def __init__(self) -> None:
        self.done = False
        self.tail = b""
        self._left = 0
        self._line = bytearray()
        self._next = self._size

    @property
    def ahead(self) -> int:
        return self._left

    def skip(self, size: int) -> None:
        self._left -= size

    def take(self, piece: memoryview, data: list[bytes] | None = None) -> int:
        at = 0
        while at < len(piece) and not self.done:
            if self._left:
                size = min(self._left, len(piece) - at)
                if data is not None:
                    data.append(bytes(piece[at : at + size]))
                self._left -= size
                at += size
                continue
            window = bytes(piece[at : at + 512])
            end = window.find(b"\n")
            self._line += window if end < 0 else window[: end + 1]
            at += len(window) if end < 0 else end + 1
            if end >= 0:
                line = bytes(self._line)
                self._line.clear()
                self._next(line)
            elif len(self._line) > MAX_LINE_BYTES:
                self._broken()
        return at

    def _size(self, line: bytes) -> None:
        word = line.split(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(word):
            self._broken()
            return
        self._left = int(word, 16)
        self._next = self._after_data
        if not self._left:
            self.tail = line
            self._next = self._trailer

    def _after_data(self, line: bytes) -> None:
        self._next = self._size
        if line.strip():
            self._broken()

    def _trailer(self, line: bytes) -> None:
        self.tail += line
        self.done = not line.strip()

    def _broken(self) -> None:
        # Nobody knows where this ends: it goes on as bytes until the close.
        self._left = 1 << 62


def _decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()


def request_body(head: Head) -> Body:
    """How a request's body is framed."""
    if "transfer-encoding" in head.headers:
        return Chunked() if head.chunked() else UntilClose()
    return _counted(head, Counted(0))


def response_body(head: Head, method: str) -> Body:
    """How the body of the response to a ``method`` request is framed."""
    if head.status == 101 or (method == "CONNECT" and 200 <= head.status < 300):
        return UntilClose()
    if method == "HEAD" or head.status in BODILESS or head.status < 200:
        return Counted(0)
    if "transfer-encoding" in head.headers:
        return Chunked() if head.chunked() else UntilClose()
    return _counted(head, UntilClose())


def _counted(head: Head, without: Body) -> Body:
    if "content-length" not in head.headers:
        return without
    length = head.length()
    return UntilClose() if length is None else Counted(length)
