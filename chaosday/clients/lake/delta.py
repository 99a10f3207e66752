"""A version of a Delta table, through delta-rs.

What a reader has to honour stands in the table's protocol: a feature that is not in ``HONOURED`` is refused by its
name, even where the library would read on (Delta's PROTOCOL.md, "Table Features").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from chaosday.clients.lake.bounds import beneath, files_below, log_is_near
from chaosday.clients.lake.snapshot import ColumnStatistics, DataFile
from chaosday.clients.lake.storage import delta_options, delta_words
from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

HONOURED = frozenset({"columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint"})
MOST_READER_VERSION = 3
_BASE85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


class DeltaSnapshot:
    """The newest version of a table, or the one asked for."""

    empties_null_lists = False

    def __init__(self, uri: str, version: int | None = None, options: Mapping[str, str] | None = None) -> None:
        self.uri = uri.rstrip("/")
        with delta_words(self.uri):
            from deltalake import DeltaTable

            self.options = dict(delta_options() if options is None else options)
            # A relative folder with a # or a blank in it would be half a URL.
            self._folder = None if "://" in self.uri else Path(self.uri).absolute()
            if self._folder is not None:
                log_is_near(self._folder, self.uri)
            where = self.uri if self._folder is None else str(self._folder)
            self.table: DeltaTable = DeltaTable(where, version=version, storage_options=self.options or None)
            _refuse_unknown(self.table, self.uri)
            self.words = f"version {self.table.version()}"
            fields = json.loads(self.table.schema().to_json())["fields"]
            self.physical_names = {
                one["name"]: physical
                for one in fields
                if (physical := one.get("metadata", {}).get("delta.columnMapping.physicalName"))
            }
            self.field_ids: Mapping[str, int] = {}
            self.schema = _schema(self.table)
            self.files = _files(self.table, self.physical_names)
            for one in self.files:
                beneath(one.path, self.uri, self._folder)
            if "deletionVectors" in map(str, self.table.protocol().reader_features or ()):
                self._vectors(None)

    def open(self, path: str) -> Any:
        """An open file."""
        with delta_words(self.uri):
            filesystem, root = self._files_at()
            beneath(path, self.uri, self._folder)
            return filesystem.open_input_file(f"{root}/{path}" if root else path)

    def deleted_rows(self) -> int:
        """What the deletion vectors leave out, counted from the vectors."""
        import pyarrow as pa
        import pyarrow.compute as pc

        with delta_words(self.uri):
            deleted = 0
            for batch in pa.RecordBatchReader.from_stream(self.table.deletion_vectors()):
                kept = batch.column(1).flatten()
                deleted += len(kept) - (pc.sum(kept).as_py() or 0)
            return deleted

    def other_names(self) -> list[str]:
        """Files of deletion vectors; of the log, delta-rs refuses one that lacks a version by itself."""
        return sorted(self._vectors(self._current_paths()))

    def known(self) -> set[str]:
        """What any commit that is still in the log adds or removes; names with an underscore are nobody's rows."""
        actions = self._actions()
        paths = {unquote(one["path"]) for one in actions}
        hidden = {name for name in self.listing() if any(part.startswith(("_", ".")) for part in name.split("/"))}
        return paths | self._vectors(None) | hidden

    def listing(self) -> dict[str, int]:
        """Every file below the folder, with its bytes."""
        from pyarrow import fs

        if self._folder is not None:
            return files_below(self._folder)
        with delta_words(self.uri):
            filesystem, root = self._files_at()
            found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
            return {one.path.removeprefix(f"{root}/"): one.size for one in found if one.is_file}

    def _current_paths(self) -> set[str]:
        return {file.path for file in self.files}

    def _vectors(self, paths: set[str] | None) -> set[str]:
        """Files of deletion vectors that the log names, for some data files or for all."""
        found = set()
        for one in self._actions():
            vector = one.get("deletionVector")
            if vector and vector["storageType"] == "p":
                beneath(vector["pathOrInlineDv"], self.uri, self._folder)
            if vector and vector["storageType"] == "u" and (paths is None or unquote(one["path"]) in paths):
                found.add(beneath(_vector_file(vector["pathOrInlineDv"]), self.uri, self._folder))
        return found

    def _actions(self) -> list[dict[str, Any]]:
        """Every ``add`` and ``remove`` of the log's commits and checkpoints."""
        import pyarrow.parquet as pq

        actions: list[dict[str, Any]] = []
        with delta_words(self.uri):
            for name in self.listing():
                if not name.startswith("_delta_log/"):
                    continue
                if name.endswith(".json"):
                    lines = [json.loads(line) for line in self.open(name).read().splitlines() if line.strip()]
                elif name.endswith(".parquet"):
                    table = pq.ParquetFile(self.open(name)).read()
                    lines = table.select([c for c in table.column_names if c in {"add", "remove"}]).to_pylist()
                else:
                    continue
                actions += [line[word] for line in lines for word in ("add", "remove") if line.get(word)]
        return [one for one in actions if one.get("path")]

    def rows(self) -> pa.RecordBatchReader:
        """All rows, by delta-rs' DataFusion: its Arrow reader knows neither deletion vectors nor mapped columns."""
        import pyarrow as pa
        from deltalake import QueryBuilder

        with delta_words(self.uri):
            found = QueryBuilder().register("lake", self.table).execute("select * from lake")
            return pa.RecordBatchReader.from_stream(found)

    def _files_at(self) -> tuple[Any, str]:
        from pyarrow import fs

        if self.uri.startswith("s3://"):
            endpoint = self.options.get("AWS_ENDPOINT_URL", "")
            keys = {
                name: self.options[option]
                for name, option in (("access_key", "AWS_ACCESS_KEY_ID"), ("secret_key", "AWS_SECRET_ACCESS_KEY"))
                if option in self.options
            }
            return fs.S3FileSystem(endpoint_override=endpoint or None, **keys), self.uri.removeprefix("s3://")
        return fs.LocalFileSystem(), str(Path(self.uri).absolute())


def _refuse_unknown(table: DeltaTable, uri: str) -> None:
    said = table.protocol()
    if said.min_reader_version > MOST_READER_VERSION:
        raise MalformedInput(f"{uri} needs a reader of version {said.min_reader_version}; 3 is read here")
    unknown = sorted(set(map(str, said.reader_features or ())) - HONOURED)
    if unknown:
        raise MalformedInput(f"{uri} needs the reader features {', '.join(unknown)}, which are not honoured here")


def _schema(table: DeltaTable) -> pa.Schema:
    import pyarrow as pa

    schema = pa.schema(table.schema().to_arrow())
    return pa.schema([pa.field(one.name, one.type) for one in schema])


def _files(table: DeltaTable, physical: Mapping[str, str]) -> list[DataFile]:
    import pyarrow as pa

    names = {inside: name for name, inside in physical.items()}
    files = []
    for one in pa.table(table.get_add_actions()).to_pylist():
        path = unquote(one["path"])
        files.append(DataFile(path, path, one["size_bytes"], one["num_records"], _statistics(one, names)))
    return files


def _statistics(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, ColumnStatistics]:
    lowest, highest, nulls = ({**(one.get(word) or {})} for word in ("min", "max", "null_count"))
    return {
        names.get(name, name): ColumnStatistics(lowest.get(name), highest.get(name), nulls.get(name))
        for name in {**lowest, **highest, **nulls}
    }


def _vector_file(text: str) -> str:
    """The file of a vector that is kept by a prefix and a UUID in Base85 (PROTOCOL.md, "Derived Fields")."""
    from uuid import UUID

    prefix, code = text[:-20], text[-20:]
    words = b""
    for at in range(0, 20, 5):
        number = 0
        for letter in code[at : at + 5]:
            number = number * 85 + _BASE85.index(letter)
        words += number.to_bytes(4, "big")
    name = f"deletion_vector_{UUID(bytes=words)}.bin"
    return f"{prefix}/{name}" if prefix else name
