"""PostgreSQL's messages: a stream cut into them, and the few words that are read of them.

https://www.postgresql.org/docs/18/protocol-message-formats.html: a tag of one byte, a length that counts itself but not
the tag, a body. What a client says first has no tag.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from chaosday.errors import MalformedInput

SSL, GSS, CANCEL = 80877103, 80877104, 80877102
"""What a client may say first instead of the protocol's version."""
_LENGTH = struct.Struct("!I")
_AT_MOST_BYTES = 1 << 30
_STRING = re.compile(r"'(?:[^']|'')*'")
_RUN_OF_DIGITS = re.compile(r"[0-9a-fA-F]{8,}|\d+")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Message:
    """One message; ``tag`` is empty for what a client says first. ``raw`` is all of it, as it came."""

    tag: str
    raw: bytes

    @property
    def body(self) -> bytes:
        """Without tag and length."""
        return self.raw[len(self.tag) + 4 :]

    def words(self) -> list[str]:
        """The strings in its body, up to the first that has no end."""
        return [part.decode(errors="replace") for part in self.body.split(b"\0")[:-1]]


class Framer:
    """Cuts a stream of bytes into messages, however they arrive."""

    def __init__(self, *, tagged: bool = True) -> None:
        self.tagged = tagged
        """Whether messages have a tag: not so at the beginning of a client's stream."""
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now; ``MalformedInput`` where this cannot be PostgreSQL's protocol."""
        self._held += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        at = 1 if self.tagged else 0
        if len(self._held) < at + 4:
            return None
        (length,) = _LENGTH.unpack_from(self._held, at)
        if not 4 <= length <= _AT_MOST_BYTES:
            raise MalformedInput("this is not PostgreSQL's protocol: a message has an impossible length")
        if len(self._held) < at + length:
            return None
        raw = bytes(self._held[: at + length])
        del self._held[: at + length]
        return Message(chr(raw[0]) if self.tagged else "", raw)


def code_of(first: Message) -> int:
    """What a client says first: the protocol's version, or one of ``SSL``, ``GSS`` and ``CANCEL``."""
    return int(_LENGTH.unpack_from(first.body)[0]) if len(first.body) >= 4 else 0


def kin(text: str) -> str:
    """A statement without its literals and numbers: the same in two runs that name their load after the time."""
    plain = _STRING.sub("'?'", _SPACE.sub(" ", text).strip())
    return _RUN_OF_DIGITS.sub("#", plain)
