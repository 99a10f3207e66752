"""What a store gave back, as the number that was written, or as whatever else it is."""

from __future__ import annotations

_DIGITS = 18
"""So many fit into 64 bits, which is what histories hold."""


def number(text: str) -> int | str:
    """The number that ``text`` says. What nobody could have written is kept as it was read: checks will say so."""
    digits = text.lstrip("0") or text[-1:]
    sound = text.isascii() and text.removeprefix("-").isdecimal()
    return int(text) if sound and len(digits) <= _DIGITS else text
