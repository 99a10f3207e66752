"""Pieces arrive twice."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


class _Copier(Stage):
    def __init__(self, stream: Stream, share: float, random: Random) -> None:
        super().__init__(stream)
        self._share, self._random = share, random

    def feed(self, data: bytes) -> None:
        self.next.feed(data)
        if self._random.random() < self._share:
            self.next.feed(data)


@dataclass(frozen=True, kw_only=True, eq=False)
class Duplicate(Toxic):
    """``share`` of the pieces (what one read gave, up to 256 KiB) are passed on a second time, right behind."""

    kind: ClassVar[str] = "duplicate"
    share: float = 1

    def stage(self, stream: Stream) -> Stage:
        """What copies them."""
        return _Copier(stream, self.share, self.random(stream.connection, stream.name))
