"""Connections end with a TCP reset."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


@dataclass(frozen=True, kw_only=True, eq=False)
class Reset(Toxic):
    """Resets the connections there are, ``delay_ms`` after it began; with ``new``, also each new one."""

    kind: ClassVar[str] = "reset"
    delay_ms: float = 0
    new: bool = False

    def attach(self, connection: Connection, fresh: bool) -> list[tuple[Stream, Stage]]:
        """No stage: the end of a connection is no matter of its bytes."""
        if not fresh or self.new:
            asyncio.get_running_loop().call_later(self.delay_ms / 1000, self._strike, connection)
        return []

    def _strike(self, connection: Connection) -> None:
        # It may have been healed while the delay ran.
        if connection.route.in_force(self):
            connection.reset()
