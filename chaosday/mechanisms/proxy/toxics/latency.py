"""Bytes arrive later."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Stage, Stream
from chaosday.mechanisms.proxy.queueing import QueueingStage
from chaosday.mechanisms.proxy.toxic import Toxic

# 100 ms of a 5 Gbit/s link; beyond that the sender waits.
_LIMIT_BYTES = 64 * 1024 * 1024


class _Delay(QueueingStage):
    def __init__(self, stream: Stream, delay_s: float, jitter_s: float, random: Random) -> None:
        super().__init__(stream, _LIMIT_BYTES)
        self._delay, self._jitter, self._random = delay_s, jitter_s, random
        self._last = 0.0

    def _due(self, data: bytes | None) -> float:
        delay = self._delay + (self._random.uniform(-self._jitter, self._jitter) if self._jitter else 0)
        # A byte stream cannot overtake itself.
        self._last = max(self._last, self._loop.time() + max(0.0, delay))
        return self._last

    def _tick(self) -> None:
        now = self._loop.time() + 0.0002
        while self._queue and self._queue[0][0] <= now:
            self._pass(self._queue.popleft()[1])
        if self._queue:
            self._wake(self._queue[0][0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Latency(Toxic):
    """Each piece waits ``delay_ms``, give or take up to ``jitter_ms`` (uniform), in each of its directions."""

    kind: ClassVar[str] = "latency"
    delay_ms: float = 100
    jitter_ms: float = 0

    def stage(self, stream: Stream) -> Stage:
        """The wait."""
        random = self.random(stream.connection, stream.name)
        return _Delay(stream, self.delay_ms / 1000, self.jitter_ms / 1000, random)
