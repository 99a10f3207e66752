"""Bytes vanish, and after a while the connection ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream
from chaosday.mechanisms.proxy.toxics.blackhole import Blackhole


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeout(Blackhole):
    """A blackhole that resets each connection ``after_ms`` after it began, or after it came."""

    kind: ClassVar[str] = "timeout"
    after_ms: float = 1000

    def attach(self, connection: Connection, fresh: bool) -> list[tuple[Stream, Stage]]:
        """The hole, and the clock."""
        asyncio.get_running_loop().call_later(self.after_ms / 1000, self._strike, connection)
        return super().attach(connection, fresh)

    def _strike(self, connection: Connection) -> None:
        # It may have been healed while the clock ran.
        if connection.route.in_force(self):
            connection.reset()
