"""An element that was acknowledged is not in the last read."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.element_planting import Lost


class ElementLost(Lost):
    """Takes acknowledged elements out of the last read of a set."""

    kind: Literal["element_lost"] = "element_lost"
    stores: ClassVar[tuple[str, ...]] = ("elements",)
    puts: ClassVar[str] = "add"
    reads: ClassVar[str] = "read"
