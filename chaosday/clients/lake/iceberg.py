"""A snapshot of an Iceberg table, through pyiceberg.

Every delete that the snapshot's manifests name is honoured, or the table is refused by the name of what is not:
equality deletes, files that are not Parquet, defaults of added columns (Iceberg's spec, "Row-level Deletes",
"Default values").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chaosday.clients.lake.bounds import Confined, files_below
from chaosday.clients.lake.catalogues import load
from chaosday.clients.lake.snapshot import ColumnStatistics, DataFile
from chaosday.clients.lake.storage import iceberg_words
from chaosday.errors import MalformedInput, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.manifest import DataFile as Entry
    from pyiceberg.manifest import ManifestEntry, ManifestFile
    from pyiceberg.table import DataScan, Table
    from pyiceberg.table.snapshots import Snapshot as SnapshotEntry
    from pyiceberg.types import NestedField

MOST_FORMAT_VERSION = 3


class IcebergSnapshot:
    """The current snapshot of a table, the one of a branch or tag, or the one with a number."""

    empties_null_lists = True
    """pyiceberg 0.12: ``ArrowProjectionVisitor`` makes lists of structs anew from their offsets alone."""
    physical_names: Mapping[str, str]

    def __init__(self, address: str, table: str = "", snapshot: str = "", *, opened: Table | None = None) -> None:
        self.shown = f"{table or address}"
        with iceberg_words(self.shown):
            self.table = opened or load(address, table)
            if self.table.format_version > MOST_FORMAT_VERSION:
                raise MalformedInput(f"{self.shown} is of format {self.table.format_version}; up to 3 is read here")
            self.id = _chosen(self.table, snapshot, self.shown)
            # The current snapshot is read by the current schema, which may have columns that came after it.
            self._now = not snapshot
            self.words = f"snapshot {self.id}" if self.id is not None else "no snapshot yet"
            self._own = Confined(self.table.metadata_location, self.shown)
            self._own.checked(f"{self.table.location().rstrip('/')}/x")
            self._entries = list(self._entries_of(self.id))
            self._refuse_unread()
            self.schema = self._projected()
            self.physical_names = {}
            self.field_ids = {one.name: one.field_id for one in self._fields()}
            self.files = [self._file(one.data_file) for one in self._entries if _content(one) == "DATA"]

    def open(self, path: str) -> Any:
        """An open file."""
        with iceberg_words(self.shown):
            return self.table.io.new_input(self._own.checked(path)).open()

    def deleted_rows(self) -> int:
        """Positions that delete files and vectors name in the snapshot's data files, each once."""
        import pyarrow.parquet as pq

        sequence = {
            one.data_file.file_path: one.sequence_number or 0 for one in self._entries if _content(one) == "DATA"
        }
        deleted: set[tuple[str, int]] = set()
        vectors = 0
        with iceberg_words(self.shown):
            for one in self._entries:
                if _content(one) != "POSITION_DELETES":
                    continue
                if _format(one.data_file) == "PUFFIN":
                    vectors += one.data_file.record_count
                    continue
                found = pq.ParquetFile(self.open(one.data_file.file_path)).read(columns=["file_path", "pos"])
                at = one.sequence_number or 0
                pairs = zip(found["file_path"].to_pylist(), found["pos"].to_pylist(), strict=True)
                deleted |= {(path, place) for path, place in pairs if sequence.get(path, at + 1) <= at}
        return len(deleted) + vectors

    def other_names(self) -> list[str]:
        """The metadata file, the list of manifests, the manifests and the delete files."""
        found = self.table.snapshot_by_id(self.id) if self.id is not None else None
        paths = [self.table.metadata_location]
        if found:
            paths += [found.manifest_list, *(one.manifest_path for one in self._manifests(found))]
        paths += [one.data_file.file_path for one in self._entries if _content(one) != "DATA"]
        return [self._name(path) for path in paths]

    def known(self) -> set[str]:
        """What any snapshot that is kept names, older metadata files, and statistics files."""
        metadata = self.table.metadata
        paths = {self.table.metadata_location, *(one.metadata_file for one in metadata.metadata_log)}
        paths |= {one.statistics_path for one in [*metadata.statistics, *metadata.partition_statistics]}
        with iceberg_words(self.shown):
            for snapshot in metadata.snapshots:
                paths.add(snapshot.manifest_list)
                for manifest in self._manifests(snapshot):
                    paths.add(manifest.manifest_path)
                    entries = manifest.fetch_manifest_entry(self.table.io, discard_deleted=False)
                    paths |= {one.data_file.file_path for one in entries}
        return {self._name(path) for path in paths} | {"metadata/version-hint.text"}

    def listing(self) -> dict[str, int]:
        """Every file below the table's location, with its bytes."""
        from pyarrow import fs
        from pyiceberg.io.pyarrow import PyArrowFileIO

        with iceberg_words(self.shown):
            scheme, place, root = PyArrowFileIO.parse_location(self.table.location())
            if scheme == "file":
                return files_below(Path(root))
            files = PyArrowFileIO(self.table.io.properties).fs_by_scheme(scheme, place)
            found = files.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
            return {one.path.removeprefix(f"{root}/"): one.size for one in found if one.is_file}

    def _manifests(self, snapshot: SnapshotEntry) -> Iterator[ManifestFile]:
        """Those that a snapshot names, each looked at before it is read."""
        self._own.small(snapshot.manifest_list, self.table.io)
        for manifest in snapshot.manifests(self.table.io):
            self._own.small(manifest.manifest_path, self.table.io)
            yield manifest

    def _entries_of(self, number: int | None) -> Iterator[ManifestEntry]:
        found = self.table.snapshot_by_id(number) if number is not None else None
        for manifest in self._manifests(found) if found else []:
            for entry in manifest.fetch_manifest_entry(self.table.io, discard_deleted=True):
                self._own.checked(entry.data_file.file_path)
                yield entry

    def _fields(self) -> list[NestedField]:
        """The top-level fields of the snapshot's own schema."""
        return list(self._scan().projection().fields)

    def _name(self, path: str) -> str:
        """A path as people see it: below the table's location, where it is there."""
        root = self.table.location().rstrip("/") + "/"
        return path.removeprefix(root) if path.startswith(root) else urlsplit(path).path

    def rows(self) -> pa.RecordBatchReader:
        """All rows, by pyiceberg."""
        import pyarrow as pa

        with iceberg_words(self.shown):
            if self.id is None:
                return pa.RecordBatchReader.from_batches(self.schema, [])
            return self._scan().to_arrow_batch_reader()

    def _scan(self) -> DataScan:
        return self.table.scan() if self._now else self.table.scan(snapshot_id=self.id)

    def _projected(self) -> pa.Schema:
        import pyarrow as pa
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        found = self._scan().projection()
        defaults = [one.name for one in found.fields if one.initial_default is not None]
        if defaults:
            raise MalformedInput(
                f"{self.shown} has defaults for added columns, not honoured here: {', '.join(defaults)}"
            )
        return pa.schema([pa.field(one.name, one.type) for one in schema_to_pyarrow(found)])

    def _refuse_unread(self) -> None:
        for one in self._entries:
            if _content(one) == "EQUALITY_DELETES":
                raise MalformedInput(
                    f"{self.shown} has equality deletes, which are not honoured here: compact it first"
                )
            form = _format(one.data_file)
            if form != "PARQUET" and not (form == "PUFFIN" and _content(one) == "POSITION_DELETES"):
                raise MalformedInput(f"{self.shown} has {form} files, which are not read here; Parquet is")

    def _file(self, one: Entry) -> DataFile:
        path = one.file_path
        return DataFile(self._name(path), path, one.file_size_in_bytes, one.record_count, self._statistics(one))

    def _statistics(self, one: Entry) -> dict[str, ColumnStatistics]:
        from pyiceberg.conversions import from_bytes
        from pyiceberg.types import PrimitiveType

        lowest, highest = dict(one.lower_bounds or {}), dict(one.upper_bounds or {})
        nulls = dict(one.null_value_counts or {})
        found = {}
        for field in self._fields():
            if isinstance(field.field_type, PrimitiveType) and field.field_id in {*lowest, *highest, *nulls}:
                kind = self.schema.field(field.name).type
                bounds = [
                    None if said is None else _as_read(from_bytes(field.field_type, said), kind)
                    for said in (lowest.get(field.field_id), highest.get(field.field_id))
                ]
                found[field.name] = ColumnStatistics(bounds[0], bounds[1], nulls.get(field.field_id))
        return found


def _chosen(table: Table, asked: str, shown: str) -> int | None:
    if not asked:
        now = table.current_snapshot()
        return now.snapshot_id if now else None
    found = table.snapshot_by_id(int(asked)) if asked.isdecimal() else table.snapshot_by_name(asked)
    if found is None:
        raise UsageError(f"{shown} has no snapshot, branch or tag {asked}")
    return found.snapshot_id


def _as_read(value: Any, kind: pa.DataType) -> Any:
    """A bound as pyarrow gives the column's values: pyiceberg's dates and moments are numbers."""
    import pyarrow as pa

    temporal = pa.types.is_temporal(kind) and isinstance(value, int)
    return pa.scalar(value, kind).as_py() if temporal else value


def _content(one: ManifestEntry) -> str:
    return str(one.data_file.content.name)


def _format(one: Entry) -> str:
    return str(getattr(one.file_format, "value", one.file_format)).upper()
