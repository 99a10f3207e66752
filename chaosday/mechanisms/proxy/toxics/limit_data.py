"""Connections break after a number of bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


class _Meter(Stage):
    def __init__(self, stream: Stream, left: int) -> None:
        super().__init__(stream)
        self._left = left

    def feed(self, data: bytes) -> None:
        if data and self._left:
            # Whole where it may be: a part of an urgent byte would be an ordinary one.
            self.next.feed(data if len(data) <= self._left else data[: self._left])
        self.stream.discarded += max(0, len(data) - self._left)
        if len(data) >= self._left:
            self.stream.connection.mutilated = True
            # In a turn of its own, so that what was let through leaves before the reset.
            asyncio.get_running_loop().call_later(0.005, self.stream.connection.reset)
        self._left = max(0, self._left - len(data))


@dataclass(frozen=True, kw_only=True, eq=False)
class LimitData(Toxic):
    """Resets a connection once ``limit_bytes`` have passed in a direction; what was already on its way is kept back."""

    kind: ClassVar[str] = "limit_data"
    limit_bytes: int = 1024

    def stage(self, stream: Stream) -> Stage:
        """The meter, which begins at zero when the toxic does."""
        return _Meter(stream, self.limit_bytes)
