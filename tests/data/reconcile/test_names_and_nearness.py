"""Names that are ours or alike, and tolerances to the last digit."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.data.manifest import compare, of_table
from chaosday.data.reconcile import diff
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.s3 import _matches
from chaosday.data.reconcile.tolerance import within
from chaosday.errors import MalformedInput, UsageError
from tests.data.reconcile.servers import Postgres

HOSTILE = ("{seed}", "{value}", "{", "chaosday_key", "CHAOSDAY_KEY", "t", "k0", "c0", "b", "n", "h", "k", "f0",
           "bucket", "left_x", "x", "difference", "changed_columns", "key_difference", "a\"b", "a'b", "%s",
           "a;b")  # fmt: skip


@pytest.mark.lab
@pytest.mark.parametrize("key", ["id", "difference", "left_x", "{seed}"])
def test_names_like_our_own_are_names_like_any_other(server: Postgres, schema: str, key: str) -> None:
    """A table whose columns are called as ours are, or as our templates' holes, is hashed, pulled and listed."""
    names = ["id", *HOSTILE] if key == "id" else [key, "id", *(name for name in HOSTILE if name != key)]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    for table, last in (("l", "same"), ("r", "other")):
        cells = ", ".join(f"'v{number}' || i as {name}" for number, name in enumerate(quoted[:-1]))
        server.sql(f"create table {schema}.{table} as select {cells}, '{last}' as {quoted[-1]} "
                   "from generate_series(1, 300) i")  # fmt: skip
    sides = [f"{server.url}#{schema}.{table}" for table in "lr"]
    for pull in (False, True):
        assert diff(sides[0], sides[0], key=[key], pull=pull).equal is True
        found = diff(*sides, key=[key], pull=pull)
        assert (found.changed, found.changed_columns, len(found.to_pandas())) == (300, {names[-1]: 300}, 300)
    manifests = [of_table(Side.parse(side), [key]) for side in sides]
    assert compare(manifests[0], manifests[0]).equal is True
    assert compare(*manifests).equal is False


def test_columns_that_differ_in_case_are_columns_of_their_own(tmp_path: Path) -> None:
    """Parquet tells a from A; so does the file of differences, and parts in another order are not mixed up."""
    sound = pa.table({"id": [1, 2], "a": [1, 2], "A": [3, 4]})
    other = pa.table({"id": [1, 2], "a": [1, 2], "A": [3, 5]})
    pq.write_table(sound, tmp_path / "l.parquet")
    pq.write_table(other, tmp_path / "r.parquet")
    (tmp_path / "l.csv").write_text("id,a,A\n1,1,3\n2,2,4\n")
    for left in ("l.parquet", "l.csv"):
        found = diff(str(tmp_path / left), str(tmp_path / "r.parquet"), key=["id"])
        assert (found.equal, found.changed_columns) == (False, {"A": 1})
        assert diff(str(tmp_path / left), str(tmp_path / "l.parquet"), key=["id"]).equal is True
    assert list(found.to_pandas().columns)[2:] == ["changed_columns", "left_a", "right_a", "left_A_", "right_A_"]
    pq.write_table(sound.select(["id", "A", "a"]), tmp_path / "l2.parquet")
    with pytest.raises(MalformedInput, match="case"):
        diff(str(tmp_path / "l*.parquet"), str(tmp_path / "l*.parquet"), key=["id"])


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    """A Parquet file with a column twice is no table whose columns can be named."""
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["id", "a", "a"])
    pq.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(MalformedInput, match="several columns called a"):
        diff(str(tmp_path / "t.parquet"), str(tmp_path / "t.parquet"), key=["id"])


@pytest.mark.parametrize("name", ["at.ns", "a.b.c", "At"])
def test_a_lossy_column_is_named_whatever_its_name(tmp_path: Path, name: str) -> None:
    """Nanoseconds of INT96 are lost in a column with dots in its name, or beside one that differs in case, too."""
    for file, at in (("l", 1), ("r", 2)):
        table = pa.table({"id": [1], "at": ["x"], name: pa.array([at], pa.timestamp("ns"))})
        pq.write_table(table, tmp_path / f"{file}.parquet", use_deprecated_int96_timestamps=True)
    found = diff(str(tmp_path / "l.parquet"), str(tmp_path / "r.parquet"), key=["id"])
    assert found.equal is None
    assert name in found.reasons[0]


@pytest.mark.parametrize(
    ("left", "right", "tolerance", "near"),
    [
        ("9007199254740993", "9007199254740992", "0.0", False),
        ("9007199254740993", "9007199254740992", "1.0", True),
        ("0.1", "0.3", "0.2", True),
        ("0.1", "0.30000000000000004", "0.2", False),
        ("1234567890123456789012345678.01", "1234567890123456789012345678.02", "0.001", False),
        ("1e400", "1e401", "1e+300", False),
        ("2024-01-01 00:00:00.000000001", "2024-01-01 00:00:00", "0.0", False),
        ("2024-01-01 00:00:00.000000001", "2024-01-01 00:00:00", "1e-09", True),
        ("2024-01-01 00:00:00+00", "2024-01-01 01:00:00+01", "0.0", True),
        ("0001-01-01 00:00:00", "0001-12-31 23:59:59 BC", "1.0", True),
        ("0044-03-15 00:00:00 BC", "0044-03-15 00:00:00", "100.0", False),
        ("12:00:00", "12:00:01.5", "1.5", True),
        ("nan", "1", "1e+308", False),
        ("inf", "1", "1e+308", False),
        ("text:1", "1", "5.0", False),
        (None, "1", "5.0", False),
        ("a", "b", "5.0", False),
    ],
)  # fmt: skip
def test_a_tolerance_is_exact(left: str | None, right: str | None, tolerance: str, near: bool) -> None:
    """Digits beyond a float64 count, before and after the point, in numbers and in times."""
    assert within(left, right, tolerance) is near


def test_a_tolerance_that_could_hold_for_nothing_is_refused(tmp_path: Path) -> None:
    """Of the key, or without one, a tolerance would be stated and have no effect."""
    path = tmp_path / "t.csv"
    path.write_text("id,v\n1,2\n")
    for key in (["id"], []):
        with pytest.raises(UsageError, match="tolerance"):
            diff(str(path), str(path), key=key, tolerances={"id": 1.0})


def test_a_tolerance_of_zero_hides_no_digit(tmp_path: Path) -> None:
    """Two whole numbers that are one float64 are two numbers."""
    for name, value in (("l", 2**53), ("r", 2**53 + 1)):
        duckdb.sql(f"select 1 as id, {value}::bigint as v").write_parquet(str(tmp_path / f"{name}.parquet"))
    sides = [str(tmp_path / f"{name}.parquet") for name in "lr"]
    assert diff(*sides, key=["id"], tolerances={"v": 0.0}).equal is False
    assert diff(*sides, key=["id"], tolerances={"v": 1.0}).equal is True


@pytest.mark.parametrize(
    ("key", "pattern", "matches"),
    [("t/a.csv", "t/*.csv", True), ("t/old/a.csv", "t/*.csv", False), ("t/old/a.csv", "t/*/a.csv", True),
     ("t/a.csv", "t/**/a.csv", True), ("t/x/y/a.csv", "t/**/a.csv", True), ("t/x/y/a.csv", "t/**", False),
     ("t/a.csv", "t/[ab].csv", True), ("u/t/a.csv", "t/a.csv", False)],
)  # fmt: skip
def test_a_star_ends_at_a_slash(key: str, pattern: str, matches: bool) -> None:
    """Globs of objects are those of files: an archive in a folder below is not read along."""
    assert _matches(key.split("/"), pattern.split("/")) is matches
