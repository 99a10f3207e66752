"""A message that nobody sent."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.element_planting import Forged


class MessageForged(Forged):
    """Puts messages into what a drain brought that were never enqueued."""

    kind: Literal["message_forged"] = "message_forged"
    stores: ClassVar[tuple[str, ...]] = ("queue",)
    puts: ClassVar[str] = "enqueue"
    reads: ClassVar[str] = "drain"
