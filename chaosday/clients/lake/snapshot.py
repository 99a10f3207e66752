"""What one snapshot of a lake table is, whichever format it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ColumnStatistics:
    """What metadata says of a column in one file: bounds of its values, which need not occur, and its NULLs."""

    lowest: Any = None
    highest: Any = None
    nulls: int | None = None


@dataclass(frozen=True)
class DataFile:
    """A data file as the snapshot's metadata names it; ``rows`` None where the metadata does not count them."""

    name: str
    """As people see it: below the table's folder where it is there."""
    path: str
    """As ``Snapshot.open`` takes it."""
    size_bytes: int
    rows: int | None
    statistics: Mapping[str, ColumnStatistics] = field(default_factory=dict)
    """By the column's name in the table."""


class Snapshot(Protocol):
    """One version of a table, held by its metadata: what is committed later does not change it."""

    words: str
    """The version or snapshot, for people."""
    schema: pa.Schema
    files: list[DataFile]
    empties_null_lists: bool
    """Whether its library reads a NULL as an empty list where lists or maps hold structs."""

    @property
    def physical_names(self) -> Mapping[str, str]:
        """What a top-level column is called in the files, where that is another name."""

    @property
    def field_ids(self) -> Mapping[str, int]:
        """By what number files know a top-level column, whatever its name; empty where they know it by its name."""

    def open(self, path: str) -> Any:
        """A file of the table, as pyarrow reads it."""

    def deleted_rows(self) -> int:
        """Rows that lie in the data files and are deleted, counted from the delete files themselves."""

    def other_names(self) -> list[str]:
        """Delete files and metadata that the snapshot needs besides its data files."""

    def known(self) -> set[str]:
        """Every file that any snapshot which is kept names, and the table's own metadata."""

    def listing(self) -> dict[str, int]:
        """Every file below the table's folder, with its bytes."""

    def rows(self) -> pa.RecordBatchReader:
        """All rows that the snapshot holds, as the format's own library reads them."""


def column_in(snapshot: Snapshot, inside: pa.Schema, name: str) -> int | None:
    """The place of a table's top-level column in a file; None where the file is older than the column."""
    number = snapshot.field_ids.get(name)
    if number is not None:
        ids = [(one.metadata or {}).get(b"PARQUET:field_id") for one in inside]
        if any(ids):
            return ids.index(b"%d" % number) if b"%d" % number in ids else None
    place = int(inside.get_field_index(snapshot.physical_names.get(name, name)))
    return place if place >= 0 else None
