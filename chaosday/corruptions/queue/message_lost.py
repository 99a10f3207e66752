"""A message that was acknowledged never comes out."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.element_planting import Lost


class MessageLost(Lost):
    """Takes acknowledged messages out of what a drain brought."""

    kind: Literal["message_lost"] = "message_lost"
    stores: ClassVar[tuple[str, ...]] = ("queue",)
    puts: ClassVar[str] = "enqueue"
    reads: ClassVar[str] = "drain"
