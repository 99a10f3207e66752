"""Bytes arrive in small pieces."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Stage, Stream
from chaosday.mechanisms.proxy.queueing import QueueingStage
from chaosday.mechanisms.proxy.toxic import Toxic

_LIMIT_BYTES = 1024 * 1024


class _Knife(QueueingStage):
    def __init__(self, stream: Stream, toxic: Slicer, random: Random) -> None:
        super().__init__(stream, _LIMIT_BYTES)
        self._toxic, self._random = toxic, random
        self._next = 0.0

    def feed(self, data: bytes) -> None:
        """Cut it up; each piece waits for its own turn."""
        if len(data) == 1:
            self._add(data)  # an urgent byte stays one
            return
        view, at = memoryview(data), 0
        while at < len(view):
            spread = self._random.uniform(-1, 1) * self._toxic.variation_bytes
            size = max(1, round(self._toxic.size_bytes + spread))
            self._add(bytes(view[at : at + size]))
            at += size

    def _due(self, data: bytes | None) -> float:
        self._next = max(self._next, self._loop.time())
        due = self._next
        self._next += self._toxic.delay_ms / 1000
        return due

    def _tick(self) -> None:
        # One piece a turn of the loop: two writes in one turn would leave the proxy as one segment.
        if self._queue and self._queue[0][0] <= self._loop.time() + 0.0002:
            self._pass(self._queue.popleft()[1])
        if self._queue:
            self._wake(self._queue[0][0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Slicer(Toxic):
    """Pieces of ``size_bytes``, give or take up to ``variation_bytes``, one every ``delay_ms``."""

    kind: ClassVar[str] = "slicer"
    size_bytes: int = 64
    variation_bytes: int = 0
    delay_ms: float = 0.1

    def stage(self, stream: Stream) -> Stage:
        """The knife."""
        return _Knife(stream, self, self.random(stream.connection, stream.name))
