"""Bytes arrive more slowly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Stage, Stream
from chaosday.mechanisms.proxy.queueing import QueueingStage
from chaosday.mechanisms.proxy.toxic import Toxic

_TICK_S = 0.01


class _Narrow(QueueingStage):
    """A token bucket that holds two ticks' worth."""

    def __init__(self, stream: Stream, bytes_per_s: float) -> None:
        super().__init__(stream, max(16 * 1024, int(bytes_per_s / 10)))
        self._rate = bytes_per_s
        self._tokens = 0.0
        self._filled = self._loop.time()

    def _due(self, data: bytes | None) -> float:
        return self._loop.time()

    def _tick(self) -> None:
        now = self._loop.time()
        burst = max(1.0, self._rate * _TICK_S * 2)
        self._tokens = min(burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        while self._queue:
            when, data = self._queue[0]
            if data is None:
                self._queue.popleft()
                self._pass(None)
                continue
            allowed = int(self._tokens)
            if allowed < 1:
                break
            self._queue.popleft()
            if len(data) > allowed:
                self._queue.appendleft((when, data[allowed:]))
                data = data[:allowed]
            self._tokens -= len(data)
            self._pass(data)
        if self._queue:
            self._wake(now + _TICK_S)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bandwidth(Toxic):
    """At most ``rate_kb_per_s`` thousand bytes a second for each connection and direction."""

    kind: ClassVar[str] = "bandwidth"
    rate_kb_per_s: float = 1000

    def stage(self, stream: Stream) -> Stage:
        """The narrow place."""
        return _Narrow(stream, self.rate_kb_per_s * 1000)
