"""Rows as DataFrames: no value is another one in the frame."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.data.frames import frame
from chaosday.data.reconcile import diff
from chaosday.data.reconcile.sides import Side
from chaosday.errors import MalformedInput, UsageError

BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("texts", "dtype", "values"),
    [
        (["1", "", "3"], "Int64", [1, None, 3]),
        ([str(BIG), ""], "Int64", [BIG, None]),
        (["007", "7"], "object", ["007", "7"]),
        (["9223372036854775808"], "float64", [2.0**63]),
        (["9223372036854775809"], "object", ["9223372036854775809"]),
        (["1.5", "2"], "float64", [1.5, 2.0]),
        (["1.50", "-0.25"], "float64", [1.5, -0.25]),
        (["0.10000000000000000001"], "object", ["0.10000000000000000001"]),
        (["9007199254740993.5"], "object", ["9007199254740993.5"]),
        (["1e400"], "object", ["1e400"]),
        (["00.5"], "object", ["00.5"]),
        (["true", "FALSE"], "boolean", [True, False]),
        (["1", "x"], "object", ["1", "x"]),
        (["1_000"], "object", ["1_000"]),
        (["2024-02-30"], "object", ["2024-02-30"]),
        (["2024-02-29 12:00:00.123456789"], "object", ["2024-02-29 12:00:00.123456789"]),
        (["2024-02-29", "2024-02-29 12:00:00"], "datetime64[us]", None),
    ],
)  # fmt: skip
def test_a_csv_is_typed_where_every_value_allows_it(
    tmp_path: Path, texts: list[str], dtype: str, values: list[Any] | None
) -> None:
    """A column is of numbers, flags or times only if all of it is, to the last character; codes stay texts."""
    path = tmp_path / "t.csv"
    path.write_text("id,v\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)))
    column = frame(Side.parse(str(path)))["v"]
    assert str(column.dtype) == dtype
    if values is not None:
        assert column.isna().tolist() == [value is None for value in values]
        assert column.dropna().tolist() == [value for value in values if value is not None]


def test_a_csv_is_read_by_its_header(tmp_path: Path) -> None:
    """What contradicts the header later is refused, and not fitted to a dialect guessed from the first rows."""
    path = tmp_path / "t.csv"
    path.write_text("id;v\n" + "1;a,b\n" * 3)
    assert frame(Side.parse(str(path)))["v"].tolist() == ["a,b"] * 3
    path.write_text("id,v\n1,2\n3\n")
    with pytest.raises(MalformedInput, match="record 3"):
        frame(Side.parse(str(path)))


def test_whole_numbers_and_decimals_survive(tmp_path: Path) -> None:
    """Beside a NULL, beyond 53 bits, beyond 38 digits: Parquet and SQLite give what is there."""
    wide = Decimal("1234567890123456789012345678901234567890.5")
    table = pa.table(
        {"id": pa.array([1, 2], pa.uint64()), "big": pa.array([BIG, None], pa.int64()), "wide": [wide, None],
         "price": pa.array([Decimal("1.25"), None], pa.decimal128(10, 2))}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    rows = frame(Side.parse(str(tmp_path / "t.parquet")))
    assert (rows["big"][0], rows["wide"][0], rows["price"][0], str(rows["price"].dtype)) == (BIG, wide, 1.25, "float64")
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.execute("create table t (id integer, big integer)")
        database.execute("insert into t values (1, ?), (2, null)", (BIG,))
    database.close()
    assert frame(Side.parse(f"sqlite:///{tmp_path}/t.db#t"))["big"].tolist()[0] == BIG


def test_folders_are_columns_and_names_are_files(tmp_path: Path) -> None:
    """What hive folders under a glob say is in the rows; a query with a column twice is refused."""
    for year in ("2023", "2024"):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(pa.table({"id": [1]}), tmp_path / f"year={year}" / "p.parquet")
    assert sorted(frame(Side.parse(f"{tmp_path}/*/p.parquet"))["year"]) == ["2023", "2024"]
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.execute("create table t (id integer)")
    database.close()
    with pytest.raises(UsageError, match="several columns"):
        frame(Side.parse(f"sqlite:///{tmp_path}/t.db#select id, id from t"))


def test_rows_keep_their_order(tmp_path: Path) -> None:
    """However many there are: the reader's threads do not hand them over as they finish."""
    path, rows = tmp_path / "t.csv", 130_000
    path.write_text("id,v\n" + "".join(f"{number},{'x' * 40}\n" for number in range(rows)))
    assert frame(Side.parse(str(path)))["id"].tolist() == list(range(rows))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (pa.array([[BIG, None], None]), [[BIG, None], None]),
        (pa.array([{"a": BIG}, {"a": None}]), [{"a": BIG}, {"a": None}]),
        (pa.array([1, 2], pa.time64("ns")), "column v cannot be read here, as time64"),
        (pa.array([2**30, None], pa.date32()), "column v cannot be read here, as date32"),
        (pa.array([1, None], pa.timestamp("us", "Mars/Base")), "column v cannot be read here, as timestamp"),
    ],
)
def test_what_python_has_no_like_for_is_refused_by_name(tmp_path: Path, values: pa.Array, found: Any) -> None:
    """Whole numbers stay whole inside of lists and structs; a day, time or zone that Python lacks is named."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": [1, 2], "v": values}), path)
    if isinstance(found, str):
        with pytest.raises(MalformedInput, match=found):
            frame(Side.parse(str(path)))
    else:
        assert frame(Side.parse(str(path)))["v"].tolist() == found


def test_an_index_of_pandas_is_a_column(tmp_path: Path) -> None:
    """A key that pandas wrote as its index is among the rows."""
    pd.DataFrame({"id": [7, 9, 8], "v": 1}).set_index("id").to_parquet(tmp_path / "t.parquet")
    assert frame(Side.parse(str(tmp_path / "t.parquet")))["id"].tolist() == [7, 9, 8]


@pytest.mark.parametrize("tail", [b"\xff\xfe\n", b"\xc3"])
def test_what_is_not_utf8_is_refused_by_its_record(tmp_path: Path, tail: bytes) -> None:
    """In one line, in a frame and in a comparison."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"id,v\n1,a\n2," + tail)
    for read in (lambda: frame(Side.parse(str(path))), lambda: diff(str(path), str(path), key=["id"])):
        with pytest.raises(MalformedInput, match="UTF-8"):
            read()
