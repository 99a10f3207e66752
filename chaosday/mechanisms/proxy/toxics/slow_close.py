"""Connections end later than they were closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


class _Doorstop(Stage):
    def __init__(self, stream: Stream, delay_s: float) -> None:
        super().__init__(stream)
        self._delay = delay_s
        self._timer: asyncio.TimerHandle | None = None

    def end(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self.release)

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.next.end()

    def drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


@dataclass(frozen=True, kw_only=True, eq=False)
class SlowClose(Toxic):
    """The end of a stream is passed on ``delay_ms`` after it came."""

    kind: ClassVar[str] = "slow_close"
    delay_ms: float = 1000

    def stage(self, stream: Stream) -> Stage:
        """What keeps the door open."""
        return _Doorstop(stream, self.delay_ms / 1000)
