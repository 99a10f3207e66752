"""An element that nobody added."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.element_planting import Forged


class ElementForged(Forged):
    """Puts elements into the last read of a set that were never added."""

    kind: Literal["element_forged"] = "element_forged"
    stores: ClassVar[tuple[str, ...]] = ("elements",)
    puts: ClassVar[str] = "add"
    reads: ClassVar[str] = "read"
