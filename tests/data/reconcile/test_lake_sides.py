"""Delta and Iceberg tables as sides: their deletes count, and what is not honoured is refused by its name."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.clients.lake.delta import DeltaSnapshot
from chaosday.data.manifest import compare, of_rows
from chaosday.data.reconcile import Side, diff
from chaosday.errors import ChaosdayError, MalformedInput, TargetUnreachable, UsageError
from tests.lab import lake

DELETED = (1, 3, 5)


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """The rows 0 to 9 without those that are deleted elsewhere, in a Parquet file."""
    kept = [number for number in range(10) if number not in DELETED]
    pq.write_table(lake.rows(0, 10).take(kept), tmp_path / "plain.parquet")
    return str(tmp_path / "plain.parquet")


def sides_with_deletes(folder: Path, form: str) -> str:
    """Ten rows, three of which a delete file of one form takes away."""
    if form == "delta":
        lake.delete_by_vector(lake.delta(folder / "d", lake.rows(0, 10)), 1, DELETED)
        return f"delta://{folder}/d"
    table = lake.iceberg(folder / "i", lake.rows(0, 10))
    lake.delete_positions(table, DELETED, form)
    return f"iceberg+sqlite://{folder}/i/catalog.db#shop.orders"


@pytest.mark.parametrize("form", ["delta", "parquet", "puffin"])
def test_deletes_are_honoured(tmp_path: Path, plain: str, form: str) -> None:
    """A deletion vector, a file of positions and a vector in a Puffin file each take rows away, and older snapshots
    still have them."""
    side = sides_with_deletes(tmp_path, form)
    found = diff(side, plain, key=["id"])
    assert (found.equal, found.rows_left) == (True, 7), found
    address, _, table = side.partition("#")
    older = f"{address}?version=0" if form == "delta" else f"{address}?snapshot={_first_snapshot(tmp_path)}#{table}"
    assert diff(older, plain, key=["id"]).removed == 3


def _first_snapshot(folder: Path) -> int:
    from pyiceberg.catalog import load_catalog

    catalogue = load_catalog("lab", type="sql", uri=f"sqlite:///{folder}/i/catalog.db")
    return int(catalogue.load_table("shop.orders").snapshots()[0].snapshot_id)


@pytest.mark.parametrize("form", ["delta", "parquet"])
def test_a_reader_that_leaves_deletes_aside_is_refused(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever reads the rows, their number is what the delete files leave, or there is no answer."""
    from chaosday.clients.lake import iceberg

    whole = lake.rows(0, 10).to_reader
    for reader in (DeltaSnapshot, iceberg.IcebergSnapshot):
        monkeypatch.setattr(reader, "rows", lambda self: whole())
    side = sides_with_deletes(tmp_path, form)
    with pytest.raises(MalformedInput, match="7 records, of which its reader made 10"):
        diff(side, side, key=["id"])
    with pytest.raises(MalformedInput, match="7 rows are there, of which their reader made 10"):
        of_rows(Side.parse(side), ["id"])


def test_partitions_that_changed_and_columns_that_came(tmp_path: Path) -> None:
    """Parts of two partition specs and two schemas are one table, in both formats."""
    from deltalake import write_deltalake

    table = lake.iceberg(tmp_path / "i", lake.rows(0, 5), by="v")
    with table.update_spec() as spec:
        spec.remove_field("v")
        spec.add_identity("id")
    with table.update_schema() as schema:
        schema.rename_column("v", "w")
    table.append(lake.rows(5, 8).rename_columns(["id", "w"]))
    with table.update_schema() as schema:
        from pyiceberg.types import StringType

        schema.add_column("more", StringType())
    folder = lake.delta(tmp_path / "d", lake.rows(0, 5).rename_columns(["id", "w"]), partition_by=["w"])
    more = lake.rows(5, 8).rename_columns(["id", "w"]).append_column("more", pa.nulls(3, pa.string()))
    write_deltalake(folder, more, mode="append", schema_mode="merge")
    found = diff(f"iceberg+sqlite://{tmp_path}/i/catalog.db#shop.orders", f"delta://{folder}", key=["id"])
    assert (found.equal, found.rows_left, found.columns) == (True, 8, ["w", "more"])


def test_values_that_are_hard_to_hold(tmp_path: Path) -> None:
    """-0.0, the last bit, microseconds, 38 digits, bytes, NULL in nested values: as in the file they came from."""
    from decimal import Decimal

    moment = datetime.datetime(1677, 1, 1, 0, 0, 0, 1)
    hard = pa.table({
        "id": pa.array([0, 1], pa.int64()), "f": pa.array([-0.0, 0.1]), "s": pa.array([0.1, None], pa.float32()),
        "d": pa.array([Decimal("9" * 28 + "." + "9" * 10), None], pa.decimal128(38, 10)),
        "t": pa.array([moment, None], pa.timestamp("us")), "z": pa.array([moment, None], pa.timestamp("us", "UTC")),
        "b": pa.array([b"\x00\xff", b""]),
        "n": pa.array([[{"a": None}], []], pa.list_(pa.struct([("a", pa.string())]))),
        "x": pa.array(["null", ""]),
    })  # fmt: skip
    pq.write_table(hard, tmp_path / "hard.parquet")
    lake.delta(tmp_path / "d", hard)
    lake.iceberg(tmp_path / "i", hard)
    for side in (f"delta://{tmp_path}/d", f"iceberg+sqlite://{tmp_path}/i/catalog.db#shop.orders"):
        found = diff(side, str(tmp_path / "hard.parquet"), key=["id"])
        assert (found.equal, found.rows_left) == (True, 2), found
    changed = hard.set_column(1, "f", pa.array([0.0, 0.1]))
    pq.write_table(changed, tmp_path / "other.parquet")
    assert diff(f"delta://{tmp_path}/d", str(tmp_path / "other.parquet"), key=["id"]).changed_columns == {"f": 1}


def test_a_null_that_is_read_as_empty_is_not_called_equal(tmp_path: Path) -> None:
    """pyiceberg makes an empty list of a NULL where lists hold structs."""
    kind = pa.list_(pa.struct([("a", pa.string())]))
    table = lake.iceberg(tmp_path / "i", pa.table({"id": pa.array([0], pa.int64()), "n": pa.array([[]], kind)}))
    more = Path(table.location().removeprefix("file://")) / "n.parquet"
    pq.write_table(pa.table({"id": pa.array([1], pa.int64()), "n": pa.array([None], kind)}), more)
    table.add_files([f"file://{more}"])
    side = f"iceberg+sqlite://{tmp_path}/i/catalog.db#shop.orders"
    found = diff(side, side, key=["id"])
    assert found.equal is None
    assert "reads as empty" in found.reasons[0]


def test_a_file_that_is_finer_than_its_table_is_not_called_equal(tmp_path: Path) -> None:
    """Nanoseconds in a file whose table says microseconds would be cut by the reader."""
    folder = lake.delta(
        tmp_path / "d", pa.table({"id": pa.array([1], pa.int64()), "t": pa.array([1_000], pa.timestamp("us", "UTC"))})
    )
    [file] = folder.glob("*.parquet")
    fine = pa.table({"id": pa.array([1], pa.int64()), "t": pa.array([1_000_001], pa.timestamp("ns", "UTC"))})
    pq.write_table(fine, file, version="2.6")
    actions = lake.log_of(folder, 0)
    next(one for one in actions if "add" in one)["add"]["size"] = file.stat().st_size
    lake.commit(folder, 0, actions)
    found = diff(f"delta://{folder}", f"delta://{folder}", key=["id"])
    assert found.equal is None
    assert "which is cut" in found.reasons[0]


def test_mapped_columns(tmp_path: Path) -> None:
    """A column that is called otherwise in the files has its name of the table."""
    folder = lake.delta(tmp_path / "d", lake.rows(0, 3))
    [file] = folder.glob("*.parquet")
    pq.write_table(pq.read_table(file).rename_columns(["col-1", "col-2"]), file)
    actions = lake.log_of(folder, 0)
    for action in actions:
        if "metaData" in action:
            schema = json.loads(action["metaData"]["schemaString"])
            for number, one in enumerate(schema["fields"], 1):
                one["metadata"] = {
                    "delta.columnMapping.id": number,
                    "delta.columnMapping.physicalName": f"col-{number}",
                }
            action["metaData"]["schemaString"] = json.dumps(schema)
            action["metaData"]["configuration"] = {
                "delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "2",
            }  # fmt: skip
        if "protocol" in action:
            action.update(lake.protocol("columnMapping"))
        if "add" in action:
            action["add"] |= {"size": file.stat().st_size, "stats": json.dumps({"numRecords": 3})}
    lake.commit(folder, 0, actions)
    pq.write_table(lake.rows(0, 3), tmp_path / "p.parquet")
    assert diff(f"delta://{folder}", f"{tmp_path}/p.parquet", key=["id"]).equal is True


def asks_for(feature: str) -> Any:
    """A maker of a Delta table whose protocol asks for a feature."""

    def make(folder: Path) -> str:
        made = lake.delta(folder / "d", lake.rows(0, 3))
        lake.commit(made, 1, [lake.protocol(feature)])
        return f"delta://{made}"

    return make


def newer_delta(folder: Path) -> str:
    made = lake.delta(folder / "d", lake.rows(0, 3))
    lake.commit(made, 1, [{"protocol": {"minReaderVersion": 9, "minWriterVersion": 9}}])
    return f"delta://{made}"


def newer_iceberg(folder: Path) -> str:
    table = lake.iceberg(folder / "i", lake.rows(0, 3))
    path = Path(table.metadata_location.removeprefix("file://"))
    path.write_text(path.read_text().replace('"format-version":2', '"format-version":9'))
    return f"iceberg://{path}"


def file_gone(folder: Path) -> str:
    made = lake.delta(folder / "d", lake.rows(0, 3))
    next(made.glob("*.parquet")).unlink()
    return f"delta://{made}"


def file_replaced(folder: Path) -> str:
    made = lake.delta(folder / "d", lake.rows(0, 3))
    pq.write_table(lake.rows(0, 2), next(made.glob("*.parquet")))
    return f"delta://{made}"


def no_catalogue(folder: Path) -> str:
    (folder / "catalog.db").write_bytes(b"no database at all" * 100)
    return f"iceberg+sqlite://{folder}/catalog.db#shop.orders"


BAD: dict[str, tuple[Any, type[ChaosdayError], str]] = {
    "a feature nobody knows": (asks_for("timeTravelBackwards"), MalformedInput, "timeTravelBackwards"),
    "a feature the library lets through": (asks_for("variantType"), MalformedInput, "variantType"),
    "a newer Delta": (newer_delta, MalformedInput, "version 9"),
    "a newer Iceberg": (newer_iceberg, MalformedInput, "format-version|format_version|format"),
    "equality deletes": (lambda folder: sides_with_deletes(folder, "equality"), MalformedInput, "equality deletes"),
    "a file that is gone": (file_gone, TargetUnreachable, "cannot be read whole"),
    "a file of another length": (file_replaced, MalformedInput, "2 rows and its metadata says 3"),
    "a catalogue that is none": (no_catalogue, TargetUnreachable, "catalogue cannot be read"),
    "no table": (lambda folder: f"delta://{folder}", TargetUnreachable, "no Delta table"),
    "no catalogue": (lambda folder: f"iceberg+sqlite://{folder}/c.db#a.b", TargetUnreachable, "no catalogue"),
    "no namespace": (lambda folder: f"iceberg+sqlite://{folder}/c.db#t", UsageError, "NAMESPACE.TABLE"),
    "no server": (lambda _: "iceberg+http://127.0.0.1:9#a.b", TargetUnreachable, "no answer"),
    "an account": (lambda _: "iceberg+https://me:secret@host#a.b", UsageError, "configuration, not in the address"),
    "no version": (lambda folder: f"delta://{folder}?version=last", UsageError, "version"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_read_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """Each in one line with its name, no secret in it, and nothing touched."""
    make, error, words = BAD[name]
    side = make(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(error, match=words) as caught:
        diff(side, side, key=["id"])
    said = str(caught.value)
    assert "\n" not in said
    assert "secret" not in said
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_manifest_outlives_compaction(tmp_path: Path) -> None:
    """The same rows in other files are the same manifest; a changed row is not."""
    from deltalake import DeltaTable

    folder = lake.delta(tmp_path / "d", lake.rows(0, 100), lake.rows(100, 300))
    side = Side.parse(f"delta://{folder}")
    before = of_rows(side, ["id"])
    table = DeltaTable(folder)
    table.optimize.compact()
    assert len(list(folder.glob("*.parquet"))) == 3
    assert compare(before, of_rows(side, ["id"], previous=before)).equal is True
    table.update(predicate="id = 7", updates={"v": "'other'"})
    found = compare(before, of_rows(side, ["id"], previous=before))
    assert [(one.kind, one.size_after) for one in found.damage] == [("altered", found.damage[0].size_before)]


def test_tables_in_a_bucket(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Delta and Iceberg in S3 are reached as the environment says."""
    import boto3
    from pyiceberg.catalog import load_catalog

    for name, value in (("AWS_ENDPOINT_URL", moto), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"),
                        ("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    bucket = f"lake-{os.getpid()}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    from deltalake import write_deltalake

    write_deltalake(f"s3://{bucket}/d", lake.rows(0, 3), storage_options={"AWS_ALLOW_HTTP": "true"})
    catalogue = load_catalog("lab", type="sql", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"s3://{bucket}/i",
                             **{"s3.endpoint": moto})  # fmt: skip
    catalogue.create_namespace("shop")
    catalogue.create_table("shop.orders", lake.rows(0, 3).schema).append(lake.rows(0, 3))
    iceberg = f"iceberg+sqlite://{tmp_path}/catalog.db#shop.orders"
    assert diff(f"delta+s3://{bucket}/d", iceberg, key=["id"]).equal is True
    client = boto3.client("s3")
    for entry in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.delete_object(Bucket=bucket, Key=entry["Key"])
    client.delete_bucket(Bucket=bucket)


def test_uuids_of_iceberg(tmp_path: Path) -> None:
    """A uuid is one in every engine."""
    from pyiceberg.schema import Schema
    from pyiceberg.types import LongType, NestedField, UUIDType

    name = UUID(int=7)
    lake.iceberg(tmp_path / "i", lake.rows(0, 1))
    from pyiceberg.catalog import load_catalog

    catalogue = load_catalog(
        "lab", type="sql", uri=f"sqlite:///{tmp_path}/i/catalog.db", warehouse=f"file://{tmp_path}/i"
    )
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "u", UUIDType()))
    made = catalogue.create_table("shop.keys", schema)
    made.append(pa.table({"id": pa.array([1], pa.int64()), "u": pa.array([name.bytes], pa.uuid())}))
    (tmp_path / "u.csv").write_text(f"id,u\n1,{str(name).upper()}\n")
    assert diff(f"iceberg+sqlite://{tmp_path}/i/catalog.db#shop.keys", f"{tmp_path}/u.csv", key=["id"]).equal is True
