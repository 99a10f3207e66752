"""What one reading of a stream found, and what several came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chaosday.data.reconcile.result import DIFFERENT, EQUAL, INCONCLUSIVE

KEYS_SHOWN = 20


@dataclass(frozen=True)
class Reading:
    """``rows`` of the source as of ``mark`` were looked for at the sink, which had the mark ``lag_s`` after it was set.

    ``missing``, ``changed`` and ``extra`` rows are different although nobody touched them in the source meanwhile, and
    were so in as many readings one after the other as are asked for; ``suspected`` ones not yet in so many.
    ``in_flight`` ones were touched meanwhile. ``reasons`` say why nothing can be said.
    """

    mark: int
    lag_s: float | None
    took_s: float
    rows: int = 0
    rows_sink: int = 0
    in_flight: int = 0
    suspected: int = 0
    missing: int = 0
    changed: int = 0
    extra: int = 0
    keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @property
    def different(self) -> int:
        """Rows that are different."""
        return self.missing + self.changed + self.extra

    @property
    def equal(self) -> bool | None:
        """True, False, or None where it is not known: never reached, nothing there, or not sure yet."""
        if self.different:
            return False
        return None if self.reasons or self.suspected or not self.rows + self.rows_sink else True

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"equal": self.equal, **asdict(self)}

    def words(self) -> str:
        """As one line for people."""
        lag = "mark not reached" if self.lag_s is None else f"lag {self.lag_s:.2f} s"
        parts = [f"mark {self.mark}: {lag}"]
        if self.lag_s is not None:
            parts.append(f"{self.rows:,} rows, {self.in_flight:,} in flight")
        counts = {"suspected": self.suspected, "missing": self.missing, "changed": self.changed, "extra": self.extra}
        parts += [f"{count:,} {name}" for name, count in counts.items() if count]
        if self.different:
            parts.append(f"keys {'; '.join(self.keys[:5])}")
        word = {True: "equal", False: "DIFFERENT", None: "inconclusive"}[self.equal]
        why = [] if self.equal is False or not self.reasons else self.reasons[:1]
        return ", ".join([*parts, word, *why])


def exit_code_of(readings: Sequence[Reading]) -> int:
    """What several readings come to: one that is different, or else what the last one says; of none inconclusive."""
    if any(reading.equal is False for reading in readings):
        return DIFFERENT
    return EQUAL if readings and readings[-1].equal else INCONCLUSIVE
