"""How a fault is done on this very host: the mechanism that was chosen, and the shell text for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Means:
    """``inject`` does it; ``undo`` ends it, any number of times, done or not; ``residue`` says what is left."""

    mechanism: str
    inject: str
    undo: str
    residue: str
