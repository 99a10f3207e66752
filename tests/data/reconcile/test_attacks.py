"""Values, rows and files that readers of data are known to take for others, from public threads about such tools.

Each case is a comparison and its right answers: True and False, None where a value cannot be read exactly, or
``refused`` where a side is not what it claims to be.
"""

from __future__ import annotations

import gzip
import itertools
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.data.reconcile import diff
from chaosday.errors import ChaosdayError

refused = "refused"
Maker = Callable[[Path], str]
_numbers = itertools.count()


def _new(folder: Path, ending: str) -> Path:
    return folder / f"{next(_numbers)}{ending}"


def csv(data: str | bytes, ending: str = ".csv") -> Maker:
    """A text file of exactly these bytes."""

    def make(folder: Path) -> str:
        path = _new(folder, ending)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    return make


def arrow(v: Any, key: Any = None, **options: Any) -> Maker:
    """A Parquet file of a column ``v``, as pyarrow writes it."""

    def make(folder: Path) -> str:
        path = _new(folder, ".parquet")
        column = v if isinstance(v, pa.Array) else pa.array(v)
        ids = key if key is not None else list(range(len(column)))
        pq.write_table(pa.table({"id": ids, "v": column}), path, **options)
        return str(path)

    return make


def named(name: bytes) -> Maker:
    """A Parquet file whose second column has a name of these two bytes."""

    def make(folder: Path) -> str:
        path = _new(folder, ".parquet")
        pq.write_table(pa.table({"id": [1], "zq": [1]}), path, store_schema=False)
        path.write_bytes(path.read_bytes().replace(b"zq", name))
        return str(path)

    return make


def lite(*statements: str) -> Maker:
    """A table ``t`` in SQLite."""

    def make(folder: Path) -> str:
        path = _new(folder, ".db")
        database = sqlite3.connect(path)
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()
        return f"sqlite:///{path}#t"

    return make


def duck(v: str, *before: str) -> Maker:
    """A table in DuckDB of one row, whose ``v`` is an expression."""

    def make(folder: Path) -> str:
        path = _new(folder, ".duckdb")
        with duckdb.connect(str(path)) as database:
            for statement in (*before, f"create table t as select 1 as id, {v} as v"):
                database.execute(statement)
        return f"duckdb:///{path}#t"

    return make


def sqlite_values(declared: str, value: str) -> Maker:
    """A table of one row in SQLite."""
    return lite(f"create table t (id integer, v {declared})", f"insert into t values (1, {value})")


NS = pa.timestamp("ns")
FILES: dict[str, tuple[Maker, Maker, set[Any]]] = {
    "utf16": (csv("id,v\n1,a\n".encode("utf-16")), csv("id,v\n1,a\n"), {refused}),
    "latin-1": (csv("id,v\n1,é\n".encode("latin-1")), csv("id,v\n1,é\n"), {refused}),
    "byte order mark": (csv(b"\xef\xbb\xbfid,v\n1,a\n"), csv("id,v\n1,a\n"), {True}),
    "NUL inside": (csv(b"id,v\n1,a\0b\n"), csv("id,v\n1,ab\n"), {False}),
    "NUL at the end": (csv(b"id,v\n1,a\0\n"), csv("id,v\n1,a\n"), {False}),
    "NUL on both sides": (csv(b"id,v\n1,a\0b\n"), csv(b"id,v\n1,a\0b\n"), {True}),
    "gzip in two members": (csv(gzip.compress(b"id,v\n1,a\n") + gzip.compress(b"2,b\n"), ".csv.gz"),
        csv("id,v\n1,a\n2,b\n"), {True}),
    "gzip and garbage": (csv(gzip.compress(b"id,v\n1,a\n") + b"garbage", ".csv.gz"), csv("id,v\n1,a\n"), {refused}),
    "gzip cut": (csv(gzip.compress(b"id,v\n1,a\n")[:-4], ".csv.gz"), csv("id,v\n1,a\n"), {refused}),
    "one column, a blank row": (csv("id\n1\n\n3\n"), csv("id\n1\n3\n"), {False}),
    "one column, quoted nothing": (csv('id\n1\n""\n3\n'), csv("id\n1\n\n3\n"), {False}),
    "column without a name": (csv("id,\n1,a\n"), csv("id,\n1,b\n"), {False}),
    "trailing delimiter": (csv("id,v,\n1,a,\n"), csv("id,v\n1,a\n"), {refused}),
    "header alone": (csv("id,v\n"), csv("id,v\n1,2\n"), {False}),
    "comma in a name": (csv('"id","v,w"\n1,a\n'), csv('id,"v,w"\n1,a\n'), {True}),
    "line end in a name": (csv('id,"v\nw"\n1,a\n'), csv('id,"v\nw"\n1,b\n'), {False}),
    "blank before a name": (csv("id, v\n1,a\n"), csv("id,v\n1,a\n"), {refused}),
    "other delimiter in a text": (csv("id,v\n1,a|b\n"), csv("id,v\n1,a|c\n"), {False}),
    "decimal comma": (csv("id;v\n1;1,5\n"), csv("id;v\n1;1,6\n"), {False}),
    "tabs": (csv("id\tv\n1\ta,b\n", ".tsv"), csv('id,v\n1,"a,b"\n'), {True}),
    "a value that looks like another dialect": (csv("id\nv0\na;b\n"), csv("id\nv0\na;c\n"), {False}),
    "returns alone": (csv("id,v\r1,a\r"), csv("id,v\n1,a\n"), {refused}),
    "two returns": (csv("id,v\r\r\n1,a\r\r\n"), csv("id,v\r\n1,a\r\n"), {refused}),
    "a return in quotes": (csv('id,v\n1,"a\rb"\n'), csv('id,v\n1,"a\nb"\n'), {False}),
    "backslash before a quote": (csv('id,v\n1,"a\\"\n'), csv('id,v\n1,"a"\n'), {False}),
    "backslash and n": (csv("id,v\n1,a\\nb\n"), csv('id,v\n1,"a\nb"\n'), {False}),
    "backslash and N": (csv("id,v\n1,\\N\n"), csv("id,v\n1,\n"), {False}),
    "the word NULL": (csv("id,v\n1,NULL\n"), csv("id,v\n1,\n"), {False}),
    "end of file sign": (csv(b"id,v\n1,a\n\x1a"), csv("id,v\n1,a\n"), {refused}),
    "wide comma": (csv("id，v\n1，a\n"), csv("id,v\n1,a\n"), {refused}),
    "blank lines at the end": (csv("id,v\n1,a\n" + "\n" * 5000), csv("id,v\n1,a\n"), {True}),
    "half a surrogate": (csv('id,v\n1,"""\\ud800"""\n'), sqlite_values("json", "'\"\\ud801\"'"), {False}),
    "the same half": (csv('id,v\n1,"""\\ud800"""\n'), sqlite_values("json", "'\"\\ud800\"'"), {True}),
    "deep JSON": (csv("id,v\n1," + "[" * 3000 + "]" * 3000 + "\n"),
        sqlite_values("json", "'" + "[" * 3000 + "]" * 3000 + "'"), {True}),
    "digits of a JSON number": (csv("id,v\n1,12345678901234567890123\n"),
        duck("'12345678901234567890124'::json"), {False}),
    "half precision": (arrow(pa.array([1.5], pa.float16())), csv("id,v\n0,1.5\n"), {True}),
    "half and single precision": (arrow(pa.array([1.5], pa.float16())),
        arrow(pa.array([1.501], pa.float32())), {False}),
    "nanoseconds of a clock": (arrow(pa.array([1], pa.time64("ns"))),
        arrow(pa.array([2], pa.time64("ns"))), {False, None}),
    "a clock of two units": (arrow(pa.array([1], pa.time64("ns"))),
        arrow(pa.array([0], pa.time64("us"))), {False, None}),
    "nanoseconds in a zone": (arrow(pa.array([1], pa.timestamp("ns", "UTC"))),
        arrow(pa.array([2], pa.timestamp("ns", "UTC"))), {False, None}),
    "dictionary": (arrow(pa.array(["a"]).dictionary_encode()), csv("id,v\n0,a\n"), {True}),
    "decimal as 1e2": (arrow(pa.array([Decimal(100)], pa.decimal128(5, 0))), csv("id,v\n0,1e2\n"), {True}),
    "45 digits": (arrow(pa.array([Decimal("1" * 45)], pa.decimal256(50, 0))),
        arrow(pa.array([Decimal("1" * 44 + "2")], pa.decimal256(50, 0))), {None}),
    "45 digits in a list": (arrow(pa.array([[Decimal("1" * 45)]], pa.list_(pa.decimal256(50, 0)))),
        arrow(pa.array([[Decimal("1" * 44 + "2")]], pa.list_(pa.decimal256(50, 0)))), {None}),
    "INT96 in a list": (arrow(pa.array([[1]], pa.list_(NS)), use_deprecated_int96_timestamps=True),
        arrow(pa.array([[2]], pa.list_(NS)), use_deprecated_int96_timestamps=True), {None}),
    "INT96 in a struct": (arrow(pa.array([{"a": 1}], pa.struct([("a", NS)])), use_deprecated_int96_timestamps=True),
        arrow(pa.array([{"a": 2}], pa.struct([("a", NS)])), use_deprecated_int96_timestamps=True), {None}),
    "nanoseconds in a list": (arrow(pa.array([[1]], pa.list_(NS))), arrow(pa.array([[2]], pa.list_(NS))), {False}),
    "nanoseconds of a clock in a struct": (arrow(pa.array([{"a": 1}], pa.struct([("a", pa.time64("ns"))]))),
        arrow(pa.array([{"a": 2}], pa.struct([("a", pa.time64("ns"))]))), {False, None}),
    "fields in another order": (arrow([{"a": 1, "b": 2}]), arrow([{"b": 2, "a": 1}]), {True}),
    "fields exchanged": (arrow([{"a": 1, "b": 2}]), arrow([{"a": 2, "b": 1}]), {False}),
    "fields that differ in case": (arrow([{"a": 1, "A": 2}]), arrow([{"a": 1, "A": 3}]), {False, refused}),
    "no list and an empty one": (arrow(pa.array([None], pa.list_(pa.int64()))),
        arrow(pa.array([[]], pa.list_(pa.int64()))), {False}),
    "no struct and one of NULL": (arrow(pa.array([None], pa.struct([("a", pa.int64())]))),
        arrow(pa.array([{"a": None}], pa.struct([("a", pa.int64())]))), {False}),
    "repeated keys of a map": (arrow(pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64()))),
        arrow(pa.array([[("a", 2), ("a", 1)]], pa.map_(pa.string(), pa.int64()))), {False}),
    "bytes that are no text": (arrow(pa.array([b"\xff"])), arrow(pa.array([b"\xfe"])), {False}),
    "bytes of one width": (arrow(pa.array([b"a" * 16], pa.binary(16))),
        arrow(pa.array([b"a" * 15 + b"b"], pa.binary(16))), {False}),
    "long offsets": (arrow(pa.array(["a"], pa.large_string())), csv("id,v\n0,a\n"), {True}),
    "nothing but NULL": (arrow(pa.array([None], pa.null())), csv("id,v\n0,\n"), {True}),
    "nothing but NULL beside a value": (arrow(pa.array([None], pa.null())), csv("id,v\n0,x\n"), {False}),
    "dates in milliseconds": (arrow(pa.array([86400000], pa.date64())), csv("id,v\n0,1970-01-02\n"), {True}),
    "wrapped byte": (arrow(pa.array([255], pa.uint8())), arrow(pa.array([-1], pa.int8())), {False}),
    "two keys of NULL": (arrow([1, 2], pa.array([None, None], pa.int64())),
        arrow([1, 3], pa.array([None, None], pa.int64())), {False}),
    "keys of NaN": (arrow([1, 2], [float("nan"), 1.0]), arrow([1, 2], [float("nan"), 1.0]), {True}),
    "key of minus zero": (arrow([1], [-0.0]), arrow([1], [0.0]), {False}),
    "key beyond 53 bits": (arrow([1], [2**53 + 1]), arrow([1], [float(2**53)]), {False}),
    "true and 2": (arrow([True]), arrow([2]), {False}),
    "true and 1": (arrow([True]), arrow([1]), {True}),
    "a file of nothing": (csv(b"", ".parquet"), arrow([1]), {refused}),
    "a thousand digits": (csv("id,v\n1,1e1000\n"), duck("'1' || repeat('0', 1000)"), {False}),
    "a thousand digits of a bignum": (csv("id,v\n1,1e1000\n"), duck("('1' || repeat('0', 1000))::bignum"), {True}),
    "zeros behind a decimal": (csv(f"id,v\n0,1.5{'0' * 500}\n"),
        arrow(pa.array([Decimal("1.5")], pa.decimal128(5, 2))), {True}),
    "a name that is no text": (named(b"z\xe4"), named(b"z\xe4"), {refused}),
    "a table of nothing": (csv(b""), csv("id\n1\n"), {refused}),
    "number and real beyond 53 bits": (sqlite_values("", "9007199254740993"),
        sqlite_values("", "9007199254740992.0"), {False}),
    "NUL in SQLite": (sqlite_values("text", "'a' || char(0) || 'b'"),
        sqlite_values("text", "'a' || char(0) || 'c'"), {False}),
    "no UTF-8 in SQLite": (sqlite_values("text", "cast(x'ff' as text)"),
        sqlite_values("text", "cast(x'fe' as text)"), {False, refused}),
    "blob and text": (sqlite_values("", "x'61'"), sqlite_values("", "'a'"), {False}),
    "generated column": (lite("create table t (id integer, v as (id * 2))", "insert into t values (1)"),
        csv("id,v\n1,2\n"), {True}),
    "keys of NULL in SQLite": (lite("create table t (id, v)", "insert into t values (null, 1), (null, 2)"),
        lite("create table t (id, v)", "insert into t values (null, 1), (null, 3)"), {False}),
    "word in a column of numbers": (sqlite_values("int", "'abc'"), duck("null::int"), {False}),
    "true as a text": (sqlite_values("boolean", "'true'"), duck("true"), {True}),
    "seconds and a time": (sqlite_values("datetime", "1700000000"), duck("timestamp '2023-11-14 22:13:20'"), {False}),
    "Julian day": (sqlite_values("date", "2460000.5"), duck("date '2023-02-25'"), {False}),
    "view": (lite("create table a (id, v)", "insert into a values (1, 2)", "create view t as select * from a"),
        csv("id,v\n1,2\n"), {True}),
    "text of a number in a strict table": (
        lite("create table t (id integer, v any) strict", "insert into t values (1, '01')"),
        csv("id,v\n1,1\n"), {False}),
    "overflow to infinity": (sqlite_values("real", "9e999"), duck("'inf'::double"), {True}),
    "decimal that became a real": (sqlite_values("decimal(20, 2)", "'12345678901234567.89'"),
        duck("12345678901234567.89::decimal(20, 2)"), {False}),
    "128 bits": (duck("170141183460469231731687303715884105727::hugeint"),
        csv("id,v\n1,170141183460469231731687303715884105727\n"), {True}),
    "zeros in front of bits": (duck("'0101'::bit"), csv("id,v\n1,101\n"), {False}),
    "enum": (duck("'a'::e", "create type e as enum ('a', 'b')"), csv("id,v\n1,a\n"), {True}),
    "members of a union": (duck("union_value(a := 1)::union(a int, b varchar)"),
        duck("union_value(b := '1')::union(a int, b varchar)"), {None, False}),
    "endless time": (duck("'infinity'::timestamp"), csv("id,v\n1,infinity\n"), {True}),
    "year of five digits": (duck("'12345-01-01'::date"), csv("id,v\n1,12345-01-01\n"), {True}),
    "JSON and a list": (duck("'[1,2]'::json"), duck("[1, 2]"), {True}),
    "row without names": (duck("row(1, 'a')"), duck("row(1, 'b')"), {None, False}),
    "array of one length": (duck("[1, 2]::int[2]"), duck("[1, 2]"), {True}),
    "NULL deep inside": (duck("[{'a': map{'k': [1.5, null]}}]"), duck("[{'a': map{'k': [1.5, 2]}}]"), {False}),
    "30 days and a month": (duck("interval 30 day"), duck("interval 1 month"), {False}),
}  # fmt: skip
KEYS: dict[str, tuple[str, str, dict[str, Any], set[Any]]] = {
    "border between two keys": ("a,b,v\n1,2,x\n", "a,b,v\n12,,x\n", {"key": ["a", "b"]}, {False}),
    "comma in a key": ('a,b,v\n"1,2",3,x\n', 'a,b,v\n1,"2,3",x\n', {"key": ["a", "b"]}, {False}),
    "a row more of a key": ("id,v\n1,a\n1,a\n", "id,v\n1,a\n", {}, {False}),
    "another row twice": ("id,v\n1,a\n1,a\n2,b\n", "id,v\n1,a\n2,b\n2,b\n", {"key": []}, {False}),
    "two names for one": ("id,a,b\n1,x,y\n", "id,c\n1,x\n", {"renamed": {"a": "c", "b": "c"}}, {False, refused}),
    "names exchanged": ("id,a,b\n1,x,y\n", "id,a,b\n1,y,x\n", {"renamed": {"a": "b", "b": "a"}}, {True}),
    "a key named twice": ("id,v\n1,x\n", "id,v\n1,y\n", {"key": ["id", "id"]}, {False, refused}),
    "a column named twice": ("id,v\n1,x\n", "id,v\n1,y\n", {"columns": ("v", "v")}, {False}),
    "nothing left": ("id\n1\n", "id\n2\n", {"key": [], "ignored": frozenset({"id"})}, {refused}),
}


def answer(left: str, right: str, **options: Any) -> Any:
    """The answer of a comparison, or that it was refused in one line."""
    try:
        return diff(left, right, **options).equal
    except ChaosdayError as error:
        assert "\n" not in str(error)
        return refused


@pytest.mark.parametrize("name", list(FILES))
def test_a_value_is_taken_for_no_other(tmp_path: Path, name: str) -> None:
    """Neither a coercion nor a reader's guess makes two values one, or one value two."""
    left, right, right_answers = FILES[name]
    key = [] if name.startswith("one column") else ["id"]
    assert answer(left(tmp_path), right(tmp_path), key=key) in right_answers


@pytest.mark.parametrize("name", list(KEYS))
def test_rows_are_told_apart_by_the_whole_of_their_keys(tmp_path: Path, name: str) -> None:
    """Keys of several columns, keys that occur twice, columns under other names, and nothing to compare."""
    left, right, options, right_answers = KEYS[name]
    sides = [csv(text)(tmp_path) for text in (left, right)]
    assert answer(*sides, **{"key": ["id"], **options}) in right_answers


def test_a_thousand_columns_take_a_time_that_grows_with_their_number(tmp_path: Path) -> None:
    """The column that differs among very many is found and named, without a statement that grows with their square."""
    names = [f"c{number}" for number in range(1000)]
    for side, last in (("l", 1), ("r", 2)):
        pq.write_table(
            pa.table({name: [last if name == "c999" else 1] for name in names}), tmp_path / f"{side}.parquet"
        )
    found = diff(str(tmp_path / "l.parquet"), str(tmp_path / "r.parquet"), key=["c0"])
    assert (found.equal, found.changed_columns) == (False, {"c999": 1})
