"""The files that a snapshot of a lake table names: are they there, as long as it says, and do they hold what it says?

Every data file is read whole. Its metadata's statistics have to hold for its content: readers skip files by them, so
that a bound that is too narrow loses rows without a word.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from chaosday.clients.lake.snapshot import ColumnStatistics, DataFile, Snapshot, column_in
from chaosday.data.reconcile.sides import LAKES, Side
from chaosday.data.reconcile.sources.lake import open_snapshot
from chaosday.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SHOWN = 1000
CUT = datetime.timedelta(milliseconds=1)
"""Delta's statistics of moments are cut to milliseconds (PROTOCOL.md, "Per-file Statistics")."""


def observe_lake(address: str) -> dict[str, Any]:
    """Look at every file that the snapshot at an address names.

    Gives for each of ``files`` its ``name``, size and rows as named and as found (None where it could not be read),
    ``missing``, ``error`` and ``statistics`` (those that its content contradicts, in words); ``others_missing``: delete
    files and metadata; ``orphans``: files that no kept snapshot names, with their bytes.
    """
    import pyarrow

    side = Side.parse(address)
    if side.engine not in LAKES:
        raise UsageError(f"{side} is no lake table: give delta://FOLDER or iceberg+sqlite://FILE#NAMESPACE.TABLE")
    snapshot = open_snapshot(side)
    listed = snapshot.listing()
    known = snapshot.known()
    orphans = sorted(name for name in listed if name not in known)
    return {
        "tool": "pyarrow",
        "version": pyarrow.__version__,
        "source": str(side),
        "snapshot": snapshot.words,
        "files": [_file(snapshot, one, listed) for one in snapshot.files],
        "others_missing": sorted(name for name in snapshot.other_names() if name not in listed),
        "orphans": orphans[:SHOWN],
        "orphan_count": len(orphans),
        "orphan_bytes": sum(listed[name] for name in orphans),
    }


def _file(snapshot: Snapshot, file: DataFile, listed: dict[str, int]) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from chaosday.errors import ChaosdayError

    said: dict[str, Any] = {
        "name": file.name, "size_bytes": file.size_bytes, "size_found": listed.get(file.name), "rows": file.rows,
        "rows_found": None, "missing": file.name not in listed, "error": "", "statistics": [],
    }  # fmt: skip
    if said["missing"]:
        return said
    try:
        with snapshot.open(file.path) as opened, pq.ParquetFile(opened, page_checksum_verification=True) as parquet:
            said["rows_found"] = parquet.metadata.num_rows
            said["statistics"] = _contradicted(snapshot, file, parquet)
    except (pa.ArrowException, OSError, ValueError, ChaosdayError) as error:
        said["error"] = " ".join(str(error).split())[:200] or type(error).__name__
    return said


def _contradicted(snapshot: Snapshot, file: DataFile, parquet: pq.ParquetFile) -> list[str]:
    """Statistics that do not hold; everything is decoded on the way."""
    places = {name: column_in(snapshot, parquet.schema_arrow, name) for name in file.statistics}
    found = {name: _Seen() for name, place in places.items() if place is not None}
    for batch in parquet.iter_batches():
        for name, seen in found.items():
            place = places[name]
            assert place is not None
            seen.add(batch.column(place))
    return [words for name, seen in found.items() for words in seen.against(name, file.statistics[name])]


class _Seen:
    """The bounds and the NULLs of a column, a batch at a time; NaN is between no bounds."""

    def __init__(self) -> None:
        self.nulls = 0
        self.lowest: Any = None
        self.highest: Any = None

    def add(self, column: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.nulls += column.null_count
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
        if pa.types.is_nested(kind) or isinstance(kind, pa.ExtensionType):
            return
        if pa.types.is_floating(kind):
            column = column.filter(pc.invert(pc.is_nan(column)))
        try:
            both = pc.min_max(column).as_py()
        except (pa.ArrowNotImplementedError, pa.ArrowKeyError):
            return
        for word, better in (("min", min), ("max", max)):
            here, name = both[word], "lowest" if word == "min" else "highest"
            kept = getattr(self, name)
            if here is not None:
                setattr(self, name, here if kept is None else better(kept, here))

    def against(self, name: str, said: ColumnStatistics) -> list[str]:
        """Words for each statistic that the content contradicts."""
        words = []
        if said.nulls is not None and said.nulls != self.nulls:
            words.append(f"{name}: {said.nulls} NULLs are said, {self.nulls} are there")
        if _comparable(said.lowest, self.lowest) and said.lowest > self.lowest:
            words.append(f"{name}: a value is below the lowest that is said")
        if _comparable(said.highest, self.highest):
            highest = said.highest + CUT if isinstance(said.highest, datetime.datetime) else said.highest
            if highest < self.highest:
                words.append(f"{name}: a value is above the highest that is said")
        return words


def _comparable(said: Any, seen: Any) -> bool:
    if said is None or seen is None:
        return False
    numbers = (int, float)
    return type(said) is type(seen) or (isinstance(said, numbers) and isinstance(seen, numbers))
