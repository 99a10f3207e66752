"""Lake tables on disk, and what their own libraries do not write: deletion vectors and delete files, laid down here.

Sources: Delta's PROTOCOL.md ("Deletion Vector Format"); Iceberg's spec ("Delete Formats") and Puffin spec.
"""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_DELTA_MAGIC = 1681511377
POSITION_IDS = {"file_path": 2147483546, "pos": 2147483545}


def rows(first: int, last: int) -> pa.Table:
    """Rows ``first`` to ``last - 1``."""
    numbers = range(first, last)
    return pa.table({"id": pa.array(numbers, pa.int64()), "v": [f"value {number}" for number in numbers]})


def delta(folder: Path, *parts: pa.Table, **options: Any) -> Path:
    """A Delta table of some parts, appended one after the other."""
    from deltalake import write_deltalake

    for part in parts:
        write_deltalake(folder, part, mode="append", **options)
    return folder


def log_of(folder: Path, version: int) -> list[dict[str, Any]]:
    """The actions of one commit."""
    return [json.loads(line) for line in _log(folder, version).read_text().splitlines()]


def commit(folder: Path, version: int, actions: Sequence[dict[str, Any]]) -> None:
    """A commit as somebody else would have written it."""
    _log(folder, version).write_text("".join(json.dumps(action) + "\n" for action in actions))


def protocol(*features: str) -> dict[str, Any]:
    """The action that asks readers for features."""
    listed = list(features)
    return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": listed,
                         "writerFeatures": listed}}  # fmt: skip


def delete_by_vector(folder: Path, version: int, places: Sequence[int]) -> None:
    """Commit a deletion vector for the first file of the table's first commit."""
    from pyroaring import BitMap64

    added = next(action["add"] for action in log_of(folder, 0) if "add" in action)
    data = struct.pack("<I", _DELTA_MAGIC) + BitMap64(places).serialize()
    vector = {"storageType": "i", "pathOrInlineDv": _z85(data), "sizeInBytes": len(data), "cardinality": len(places)}
    removed = {"path": added["path"], "deletionTimestamp": int(time.time() * 1000), "dataChange": True}
    commit(
        folder,
        version,
        [protocol("deletionVectors"), {"remove": removed}, {"add": {**added, "deletionVector": vector}}],
    )


def _z85(data: bytes) -> str:
    data += b"\0" * (-len(data) % 4)
    words = (int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4))
    return "".join(_Z85[word // 85**power % 85] for word in words for power in (4, 3, 2, 1, 0))


def _log(folder: Path, version: int) -> Path:
    return folder / "_delta_log" / f"{version:020}.json"


def iceberg(folder: Path, *parts: pa.Table, name: str = "shop.orders", by: str = "") -> Any:
    """An Iceberg table of some parts in a catalogue ``folder/catalog.db``; ``by``: the column it is partitioned by."""
    from pyiceberg.catalog import load_catalog

    folder.mkdir(parents=True, exist_ok=True)
    catalogue = load_catalog("lab", type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalogue.create_namespace_if_not_exists(name.rpartition(".")[0])
    table = catalogue.create_table(name, parts[0].schema)
    if by:
        with table.update_spec() as spec:
            spec.add_identity(by)
    for part in parts:
        table.append(part)
    return table


def delete_positions(table: Any, places: Sequence[int], form: str = "parquet") -> None:
    """Commit a delete file (``parquet``, ``puffin``, or ``equality``) for rows of the table's first data file."""
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

    target = next(iter(table.scan().plan_files())).file.file_path
    path = f"{table.location()}/data/deletes-{time.time_ns()}.{'puffin' if form == 'puffin' else 'parquet'}"
    local = Path(path.removeprefix("file://"))
    if form == "puffin":
        local.write_bytes(_puffin(target, places))
    elif form == "equality":
        pq.write_table(_with_ids(pa.table({"id": pa.array(places, pa.int64())}), {"id": 1}), local)
    else:
        found = pa.table({"file_path": [target] * len(places), "pos": pa.array(places, pa.int64())})
        pq.write_table(_with_ids(found, POSITION_IDS), local)
    made = DataFile.from_args(
        content=DataFileContent.EQUALITY_DELETES if form == "equality" else DataFileContent.POSITION_DELETES,
        file_path=path,
        file_format=FileFormat.PUFFIN if form == "puffin" else FileFormat.PARQUET,
        partition=next(iter(table.scan().plan_files())).file.partition,
        record_count=len(places),
        file_size_in_bytes=local.stat().st_size,
        equality_ids=[1] if form == "equality" else None,
    )
    made.spec_id = table.spec().spec_id
    _commit_deletes(table, made)


def _with_ids(table: pa.Table, ids: dict[str, int]) -> pa.Table:
    fields = [one.with_metadata({"PARQUET:field_id": str(ids[one.name])}) for one in table.schema]
    return table.cast(pa.schema(fields))


def _puffin(target: str, places: Sequence[int]) -> bytes:
    from pyroaring import BitMap64

    vector = b"\xd1\xd3\x39\x64" + BitMap64(places).serialize()
    blob = struct.pack(">I", len(vector)) + vector + struct.pack(">I", zlib.crc32(vector))
    properties = {"referenced-data-file": target, "cardinality": str(len(places))}
    said = {"blobs": [{"type": "deletion-vector-v1", "fields": [], "snapshot-id": -1, "sequence-number": -1,
                       "offset": 4, "length": len(blob), "properties": properties}]}  # fmt: skip
    footer = json.dumps(said).encode()
    return b"PFA1" + blob + b"PFA1" + footer + struct.pack("<II", len(footer), 0) + b"PFA1"


def _commit_deletes(table: Any, made: Any) -> None:
    from pyiceberg.manifest import (
        ManifestContent,
        ManifestEntry,
        ManifestEntryStatus,
        ManifestWriterV2,
        write_manifest_list,
    )
    from pyiceberg.table.snapshots import Operation, Snapshot, Summary
    from pyiceberg.table.update import AddSnapshotUpdate, SetSnapshotRefUpdate

    class Deletes(ManifestWriterV2):
        def content(self) -> ManifestContent:
            return ManifestContent.DELETES

    now = table.current_snapshot()
    number, sequence = now.snapshot_id + 1, table.metadata.last_sequence_number + 1
    where = f"{table.location()}/metadata/{number}"
    output = table.io.new_output(f"{where}-m0.avro")
    with Deletes(table.spec(), table.schema(), output, number, "null") as writer:
        writer.add_entry(
            ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED, snapshot_id=number, sequence_number=sequence, data_file=made
            )
        )
    listed = table.io.new_output(f"{where}.avro")
    with write_manifest_list(2, listed, number, now.snapshot_id, sequence, "null") as lister:
        lister.add_manifests([*now.manifests(table.io), writer.to_manifest_file()])
    snapshot = Snapshot(
        snapshot_id=number, parent_snapshot_id=now.snapshot_id, sequence_number=sequence, manifest_list=f"{where}.avro",
        timestamp_ms=int(time.time() * 1000), summary=Summary(Operation.DELETE),
        schema_id=table.metadata.current_schema_id,
    )  # fmt: skip
    main = SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=number)
    table._do_commit(updates=(AddSnapshotUpdate(snapshot=snapshot), main), requirements=())
