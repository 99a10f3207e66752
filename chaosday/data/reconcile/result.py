"""What a comparison found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

EQUAL, DIFFERENT, INCONCLUSIVE = 0, 1, 2


@dataclass
class DiffResult:
    """Counts of what differs between two sides, and where the rows that differ are.

    ``added`` rows are only on the right, ``removed`` only on the left, ``changed`` have the same key
    and other values. ``duplicate_keys`` counts keys that occur more than once on either side.
    ``equal`` is None when the comparison could not be finished fairly; ``reasons`` say why.
    ``notes`` state loudly what was left out, mapped, tolerated or assumed.
    """

    left: str
    right: str
    mode: str
    key: list[str]
    columns: list[str]
    rows_left: int = 0
    rows_right: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    duplicate_keys: int = 0
    duplicate_keys_left: int = 0
    duplicate_keys_right: int = 0
    changed_columns: dict[str, int] = field(default_factory=dict)
    sample_keys: list[str] = field(default_factory=list)
    duplicate_sample: list[str] = field(default_factory=list)
    blind_to: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    rows_fetched: int = 0
    differences: str | None = None

    @property
    def equal(self) -> bool | None:
        """True, False, or None where it is not known."""
        if self.reasons:
            return None
        same_duplicates = self.duplicate_keys_left == self.duplicate_keys_right
        return not (self.added or self.removed or self.changed) and same_duplicates

    @property
    def exit_code(self) -> int:
        """0 equal, 1 different, 2 inconclusive."""
        return {True: EQUAL, False: DIFFERENT, None: INCONCLUSIVE}[self.equal]

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON: what ``--json`` prints and what the check ``table_diff`` judges."""
        return {"equal": self.equal, **asdict(self)}

    def to_pandas(self) -> pd.DataFrame:
        """All differences as a DataFrame, one row each: ``difference``, the key, ``changed_columns``, both values."""
        import pandas as pd
        import pyarrow.parquet as pq

        if self.differences is None:
            return pd.DataFrame()
        frame: pd.DataFrame = pq.read_table(Path(self.differences)).to_pandas()
        return frame
