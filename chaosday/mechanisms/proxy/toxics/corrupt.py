"""Bits arrive turned."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


class _Flipper(Stage):
    def __init__(self, stream: Stream, share: float, random: Random) -> None:
        super().__init__(stream)
        self._share, self._random = share, random

    def feed(self, data: bytes) -> None:
        if data and self._random.random() < self._share:
            hurt = bytearray(data)
            hurt[self._random.randrange(len(hurt))] ^= 1 << self._random.randrange(8)
            data = type(data)(hurt)  # an urgent byte stays one
        self.next.feed(data)


@dataclass(frozen=True, kw_only=True, eq=False)
class Corrupt(Toxic):
    """One bit of ``share`` of the pieces (what one read gave, up to 256 KiB) is turned; TCP's checksum fits it."""

    kind: ClassVar[str] = "corrupt"
    share: float = 1

    def stage(self, stream: Stream) -> Stage:
        """What turns them."""
        return _Flipper(stream, self.share, self.random(stream.connection, stream.name))
