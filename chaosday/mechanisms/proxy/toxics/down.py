"""Nobody listens any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


@dataclass(frozen=True, kw_only=True, eq=False)
class Down(Toxic):
    """Resets what there is and refuses what comes (ECONNREFUSED), as a server that was stopped does."""

    kind: ClassVar[str] = "down"
    refuses: ClassVar[bool] = True

    def attach(self, connection: Connection, fresh: bool) -> list[tuple[Stream, Stage]]:
        """No stage: the connection ends here. One that was accepted in the same turn ends as well."""
        connection.reset()
        return []
