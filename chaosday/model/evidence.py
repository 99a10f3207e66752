"""Evidence is the run directory: what a check reads, and what a corruption damages a copy of.

::

    RUN/plan.json  journal.jsonl  history/  history.parquet  rows/NAME.parquet
        observations/NAME.json  findings.json  proof.json  verdict.json  report.html  hashes.json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import orjson
import pyarrow as pa

from chaosday.errors import EvidenceMissing
from chaosday.model.history import History


class Evidence:
    """A read-only view of a run directory, with replacements for planted corruption.

    ``history()`` is what was asked, ``rows(name)`` what a store was found to hold afterwards,
    ``observation(name)`` what a probe or a tool said. ``replaced`` gives a copy in which some of
    these are damaged; the files on disk are never touched.
    """

    def __init__(self, path: Path, *, overlay: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._overlay: dict[str, Any] = dict(overlay or {})
        self._cache: dict[str, Any] = {}
        self._read: set[str] | None = None

    def replaced(
        self,
        *,
        history: History | None = None,
        rows: Mapping[str, pa.Table] | None = None,
        observations: Mapping[str, Any] | None = None,
    ) -> Self:
        """A copy in which the given pieces stand in place of those on disk."""
        overlay = dict(self._overlay)
        if history is not None:
            overlay["history"] = history
        overlay |= {f"rows/{name}": table for name, table in (rows or {}).items()}
        overlay |= {f"observations/{name}": said for name, said in (observations or {}).items()}
        copy = type(self)(self.path, overlay=overlay)
        copy._cache = self._cache
        return copy

    def watched(self) -> tuple[Self, set[str]]:
        """A copy, and the set in which it notes every piece that is read from it (``rows/bank``)."""
        copy = self.replaced()
        copy._read = set()
        return copy, copy._read

    def differing(self, other: Evidence) -> set[str]:
        """The pieces in which two copies of the same run's evidence are not the very same object."""
        nothing = object()
        pieces = self._overlay.keys() | other._overlay.keys()
        return {p for p in pieces if self._overlay.get(p, nothing) is not other._overlay.get(p, nothing)}

    def history(self) -> History:
        """Every operation of the run, unfinished ones as ``unknown``."""
        history: History = self._get("history", lambda: History.read(self._file("history.parquet")))
        return history

    def rows(self, name: str) -> pa.Table:
        """What the store called ``name`` held when it was read back."""
        return self._get(f"rows/{name}", lambda: _table(self._file(f"rows/{name}.parquet")))

    def row_names(self) -> list[str]:
        """The stores that were read back."""
        stored = {path.stem for path in self.path.glob("rows/*.parquet")}
        return sorted(stored | {key[5:] for key in self._overlay if key.startswith("rows/")})

    def observation(self, name: str) -> Any:
        """What the probe or tool called ``name`` said, as JSON."""
        return self._get(
            f"observations/{name}",
            lambda: orjson.loads(self._file(f"observations/{name}.json").read_bytes()),
        )

    def has(self, piece: str) -> bool:
        """Whether ``history``, ``rows/NAME`` or ``observations/NAME`` is there to be read."""
        if piece in self._overlay:
            return True
        suffix = {"history": "history.parquet"}.get(piece) or (
            f"{piece}.parquet" if piece.startswith("rows/") else f"{piece}.json"
        )
        return (self.path / suffix).is_file()

    def _file(self, name: str) -> Path:
        path = self.path / name
        if not path.is_file():
            raise EvidenceMissing(f"the run holds no {name}: it ended before that was collected")
        return path

    def _get(self, key: str, load: Any) -> Any:
        if self._read is not None:
            self._read.add(key)
        if key in self._overlay:
            return self._overlay[key]
        if key not in self._cache:
            self._cache[key] = load()
        return self._cache[key]


def _table(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path)
