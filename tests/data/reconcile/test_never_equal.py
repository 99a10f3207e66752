from __future__ import annotations

import gzip
import sqlite3
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.data.reconcile import diff
from chaosday.data.reconcile.result import DiffResult
from chaosday.errors import AccessDenied, MalformedInput, UsageError
from tests.data.reconcile.servers import Postgres

# Name: a DuckDB literal, and texts in a CSV that are another value, and texts that are the same one.
BESIDE_CSV = {
    "fraction": ("2::int", ["1.5", "2.4", "1.9999999999999999"], ["2", "2.0", "+2", "02"]),
    "hex": ("31::bigint", ["0x1f", "3_1", "31L", " 31"], ["31"]),
    "unsigned": ("18446744073709551615::ubigint", ["-1", "18446744073709551616"], ["18446744073709551615"]),
    "wide": ("340282366920938463463374607431768211455::uhugeint", ["-1", "340282366920938463463374607431768211456"],
             ["340282366920938463463374607431768211455"]),
    "digits": ("12345678901234567890123456789012345.678::decimal(38,3)",
               ["12345678901234567890123456789012345.677", "1.2345678901234567e34"],
               ["12345678901234567890123456789012345.6780"]),
    "overflow": ("'inf'::double", ["1e400", "1.8e308"], ["Infinity", "inf"]),
    "underflow": ("0.0::double", ["1e-400", "-0.0"], ["0", "0.0", "0e5"]),
    "float": ("9007199254740992::double", ["9007199254740993"], ["9007199254740992", "9.007199254740992e15"]),
    "four bytes": ("0.1::float", ["0.1000001"], ["0.1", "0.10000000149011612"]),
    "boolean": ("true", ["2", "False", "f", "verily"], ["True", "TRUE", "t", "yes", "1"]),
    "date": ("'2024-02-29'::date", ["2024-02-29 12:00:00", "2024-02-29 and more", "2024-03-01"],
             ["2024-02-29", "2024-02-29 00:00:00"]),
    "era": ("'0044-03-15 (BC)'::date", ["0044-03-15", "0043-03-15 BC"], ["0044-03-15 BC", "0044-03-15 (BC)"]),
    "clock": ("'01:00:00'::time", ["01:00:00 PM", "13:00:00", "01:00:00+02", "01:00:00.0000001"],
              ["01:00", "01:00:00.000"]),
    "zoned clock": ("'12:00:00+02'::timetz", ["10:00:00+00", "12:00:00", "12:00:00+03"], ["12:00:00+02:00"]),
    "moment": ("'2024-02-29 12:00:00.123456'::timestamp",
               ["2024-02-29 12:00:00.1234567", "2024-02-29 12:00:00.123456Z", "2024-02-29 12:00:00.123456+02"],
               ["2024-02-29T12:00:00.123456", "2024-02-29 12:00:00.1234560"]),
    "nanoseconds": ("'2024-02-29 12:00:00.123456789'::timestamp_ns", ["2024-02-29 12:00:00.123456"],
                    ["2024-02-29 12:00:00.123456789"]),
    "zoned moment": ("'2024-02-29 12:00:00+00'::timestamptz", ["2024-02-29 12:00:00+02", "2024-02-29 12:00:00 CET"],
                     ["2024-02-29 14:00:00+02", "2024-02-29T12:00:00Z"]),
    "interval": ("'1 year 1 day'::interval", ["1 year 24:00:00", "365 days"],
                 ["1 year 1 day", "12 mons 1 day", "P1Y1D"]),
    "uuid": ("'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid", ["6ba7b810-9dad-11d1-80b4-00c04fd430c9"],
             ["6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "6ba7b8109dad11d180b400c04fd430c8"]),
    "json": ("""'{"a":1,"a":2}'::json""", ['{"a":2}', '{"a":2,"a":1}', "{'a':1}"], ['{"a": 1, "a": 2.0}']),
    "list": ("[1.5, 'nan'::double, '-0.0'::double]", ["[1.5,null,0]", '[1.5,"nan",-0]', "[1.5,NaN,0.0]"], []),
    "map": ("map{'a': 1, 'b': 2}", ['{"a":1}', '{"a":1,"b":2,"b":2}'], ['{"b":2,"a":1}']),
    "text": ("'1'", ["1.0", "01", "1 "], ["1"]),
    "bytes": ("'\\x61'::blob", ["a", "62"], ["\\x61"]),
}  # fmt: skip


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.mark.parametrize("engine", ["duckdb", "parquet"])
def test_a_csv_is_read_as_what_is_beside_it_to_its_last_character(tmp_path: Path, engine: str) -> None:
    """A text is equal to a typed value only where all of it spells the value; other spellings of it are equal."""
    skipped = {"zoned clock", "wide"} if engine == "parquet" else set()
    cases = [
        (name, value, text, same)
        for name, (value, others, spellings) in BESIDE_CSV.items()
        if name not in skipped
        for same, texts in ((False, others), (True, spellings))
        for text in texts
    ]
    columns = ", ".join(f"{value} as c{number}" for number, (_, value, _, _) in enumerate(cases))
    with duckdb.connect(str(tmp_path / "x.db")) as database:
        database.execute("set timezone = 'UTC'")
        database.execute(f"create table t as select 1 as id, {columns}")
        if engine == "parquet":
            database.execute(f"copy t to '{tmp_path}/t.parquet'")
    header = ",".join(f"c{number}" for number in range(len(cases)))
    row = ",".join(quoted(text) for _, _, text, _ in cases)
    (tmp_path / "t.csv").write_text(f"id,{header}\n1,{row}\n")
    left = f"duckdb:///{tmp_path}/x.db#t" if engine == "duckdb" else f"{tmp_path}/t.parquet"
    found = diff(left, f"{tmp_path}/t.csv", key=["id"])
    wrong = [
        (name, text)
        for number, (name, _, text, same) in enumerate(cases)
        if (f"c{number}" in found.changed_columns) == same
    ]
    assert wrong == []
    assert found.rows_left == found.rows_right == 1


def of_csvs(folder: Path, left: bytes, right: bytes, **options: object) -> DiffResult:
    (folder / "l.csv").write_bytes(left)
    (folder / "r.csv").write_bytes(right)
    return diff(str(folder / "l.csv"), str(folder / "r.csv"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"id,v\n" + b"1,2\n" * 30_000 + b"1,2,3\n", "record 30002 has 3 fields, the header has 2"),
        (b"id,v\n1,2,\n", "record 2 has 3 fields"),
        (b"id,v\n1\n", "record 2 has 1 fields"),
        (b'id,v\n1,x\n2,"y\n3,z\n', "ends inside quotes"),
        (b'id,v\n1,5" pipe\n', "record 2 has a quote inside a field"),
        (b'id,v\n1, "x"\n', "record 2 has a quote inside a field"),
        (b'id,v\n1,"x"y\n', "record 2 goes on after a closing quote"),
        (b"id,v\r\n1,2\n", "record 2 ends otherwise than the header does"),
        (b"id,v\n1,2\r\n", "record 2 ends otherwise than the header does"),
        (b"id,v\n1,a\rb\n", "record 2 has a carriage return without a line feed"),
        (b"id,v\n1,\xff\n", "cannot be read"),
        (b"", "it has no header"),
        (b"id,id\n1,2\n", "several columns called id"),
    ],
)  # fmt: skip
def test_a_csv_that_contradicts_its_header_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    """A row of another width, quotes that do not close and mixed line ends are told with their record, never eaten."""
    with pytest.raises(MalformedInput, match=words):
        of_csvs(tmp_path, text, b"id,v\n1,2\n")


@pytest.mark.parametrize(
    ("left", "right", "rows"),
    [
        (b"id,v\n1,a\n#2,b\n3,c\n", b"id,v\n1,a\n3,c\n", (3, 2)),
        (b"id,v\n" + b"1,a\n" * 25_000 + b'2,"b;c\n\nd"\n', b"id,v\n" + b"1,a\n" * 25_001, (25_001, 25_001)),
        (b"v\na\n\nb\n", b"v\na\nb\n", (3, 2)),
        (b"id;v\n1;a,b\n", b"id;v\n1;a\n", (1, 1)),
        (b"\xef\xbb\xbfid,v\n1,a\n", b"id,v\n2,a\n", (1, 1)),
        (b'id,v\r\n1,"a\r\nb"\r\n', b'id,v\r\n1,"a\nb"\r\n', (1, 1)),
        (b"id,v\n1,a\x00b\n", b"id,v\n1,ab\n", (1, 1)),
    ],
)  # fmt: skip
def test_every_record_of_a_csv_is_a_row(tmp_path: Path, left: bytes, right: bytes, rows: tuple[int, int]) -> None:
    """Lines that look like comments, quoted line ends, empty lines of one column and late dialects are rows."""
    found = of_csvs(tmp_path, left, right)
    assert (found.equal, found.rows_left, found.rows_right) == (False, *rows)
    assert of_csvs(tmp_path, left, left).equal is True


@pytest.mark.parametrize(("damage", "words"), [("cut", "end"), ("flipped", "cannot be read as csv")])
def test_a_damaged_gzipped_csv_is_refused(tmp_path: Path, damage: str, words: str) -> None:
    """A cut compressed file is not a shorter table, and a flipped byte in the middle of one no traceback."""
    whole = gzip.compress(b"id,v\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(1000)))
    middle = len(whole) // 2
    damaged = whole[:-10] if damage == "cut" else whole[:middle] + b"\xff" * 4 + whole[middle + 4 :]
    for name, data in (("l", whole), ("r", damaged)):
        (tmp_path / f"{name}.csv.gz").write_bytes(data)
    with pytest.raises(MalformedInput, match=words):
        diff(f"{tmp_path}/l.csv.gz", f"{tmp_path}/r.csv.gz")


def parquet(path: Path, **columns: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_a_name_with_brackets_is_that_file(tmp_path: Path) -> None:
    """Where a file has exactly the name that was given it is read, and not what the name would match as a glob."""
    whole = parquet(tmp_path / "whole.parquet", id=[1], v=["a"])
    for suffix in ("parquet", "csv"):
        name = tmp_path / f"part[1].{suffix}"
        if suffix == "csv":
            (tmp_path / "part1.csv").write_text("id,v\n1,a\n")
            name.write_text("id,v\n1,b\n")
        else:
            parquet(tmp_path / "part1.parquet", id=[1], v=["a"])
            parquet(name, id=[1], v=["b"])
        assert diff(str(name), whole, key=["id"]).changed == 1


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_rows_that_move_between_partitions_are_seen(tmp_path: Path, form: str) -> None:
    """What folders say under a glob (year=2024) is a column; a NULL partition is NULL."""

    def table(side: str, **years: int) -> str:
        for year, number in years.items():
            path = tmp_path / side / f"year={year}" / f"x.{form}"
            path.parent.mkdir(parents=True)
            if form == "csv":
                path.write_text(f"id\n{number}\n")
            else:
                parquet(path, id=[number])
        return f"{tmp_path}/{side}/*/*.{form}"

    left = table("l", y1=1, y2=2, __HIVE_DEFAULT_PARTITION__=3)
    moved = diff(left, table("r", y1=2, y2=1, __HIVE_DEFAULT_PARTITION__=3), key=["id"])
    assert moved.changed_columns == {"year": 2}
    assert diff(left, table("s", y1=1, y2=2, __HIVE_DEFAULT_PARTITION__=3), key=["id"]).equal is True
    with pytest.raises(MalformedInput, match="parts have different columns: year"):
        (tmp_path / "l" / "plain").mkdir()
        Path(parquet(tmp_path / "l" / "plain" / "x.parquet", id=[1])).rename(tmp_path / "l" / "plain" / f"x.{form}")
        (tmp_path / "l" / "plain" / f"x.{form}").write_bytes((tmp_path / "l" / "year=y1" / f"x.{form}").read_bytes())
        diff(left, left, key=["id"])


def test_parts_with_other_columns_are_refused(tmp_path: Path) -> None:
    """A part that lacks a column, or has it in another type, is not filled up or rounded."""
    parquet(tmp_path / "a0.parquet", id=[1], v=[None])
    parquet(tmp_path / "a1.parquet", id=[2])
    with pytest.raises(MalformedInput, match=r"different columns: v .*a0.parquet and .*a1.parquet"):
        diff(f"{tmp_path}/a*.parquet", f"{tmp_path}/a0.parquet")
    parquet(tmp_path / "b0.parquet", id=[1], v=[2**60])
    parquet(tmp_path / "b1.parquet", id=[2], v=[0.5])
    with pytest.raises(MalformedInput, match="different types: v is BIGINT"):
        diff(f"{tmp_path}/b*.parquet", f"{tmp_path}/b0.parquet")
    for number, text in enumerate(("id,v\n1,2\n", "v,id\n2,1\n", "id\n1\n")):
        (tmp_path / f"c{number}.csv").write_text(text)
    assert diff(f"{tmp_path}/c0.csv", f"{tmp_path}/c1.csv").equal is True
    assert diff(f"{tmp_path}/c[01].csv", f"{tmp_path}/c[01].csv").rows_left == 2
    with pytest.raises(MalformedInput, match="different columns: v"):
        diff(f"{tmp_path}/c*.csv", f"{tmp_path}/c0.csv")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([Decimal("1234567890123456789012345678901234567890.12")], pa.decimal256(44, 2)), "44 digits"),
        (pa.array([1], pa.duration("s")), "without its unit"),
        ([[{"x": Decimal("1234567890123456789012345678901234567890.12")}]], "digits"),
    ],
)
def test_parquet_that_cannot_be_read_exactly_is_inconclusive(tmp_path: Path, column: object, words: str) -> None:
    """A type that the reader would round is named with the way out, and never called equal; --ignore settles it."""
    path = parquet(tmp_path / "x.parquet", id=[1], v=column)
    found = diff(path, path, key=["id"])
    assert found.equal is None
    assert any("v is" in reason and words in reason and "--ignore" in reason for reason in found.reasons)
    assert diff(path, path, key=["id"], ignored=frozenset({"v"})).equal is True


def test_int96_is_exact_or_inconclusive(tmp_path: Path) -> None:
    """INT96 timestamps of whole microseconds are compared; finer ones are inconclusive, not cut."""
    for name, value in (("us", 1704067200123456000), ("ns", 1704067200123456789)):
        table = pa.table({"v": pa.array([value], pa.timestamp("ns"))})
        pq.write_table(table, tmp_path / f"{name}.parquet", use_deprecated_int96_timestamps=True)
    assert diff(f"{tmp_path}/us.parquet", f"{tmp_path}/us.parquet").equal is True
    assert diff(f"{tmp_path}/us.parquet", f"{tmp_path}/ns.parquet").equal is None


def sqlite(path: Path, *statements: str) -> str:
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()
    return f"sqlite:///{path}#t"


@pytest.mark.parametrize(
    ("declared", "left", "right", "equal"),
    [
        ("", "'1'", "1", False), ("", "1", "1.0", True), ("", "x'6162'", "'ab'", False), ("", "'a'", "'a'", True),
        ("", "char(1) || 'number:1'", "1", False), ("text", "x'6162'", "'blob:6162'", False),
        ("blob", "'ab'", "x'6162'", False), ("blob", "17", "x'17'", False),
        ("text", "x'61'", "char(1) || 'blob:61'", False),
        ("decimal(20,10)", "0.3", "0.1 + 0.2", False), ("real", "0.3", "0.1 + 0.2", False),
        ("integer", "9223372036854775807", "9223372036854775806", False), ("integer", "2.5", "2", False),
        ("integer", "9223372036854775808", "9223372036854775807", False),
        ("date", "'2024-01-01 12:00'", "'2024-01-01'", False),
        ("boolean", "1", "'true'", True), ("boolean", "2", "1", False),
        ("json", "'{\"a\":1,\"a\":2}'", "'{\"a\":2}'", False),
    ],
)  # fmt: skip
def test_sqlite_values_keep_their_storage_class(
    tmp_path: Path, declared: str, left: str, right: str, equal: bool
) -> None:
    """Whatever its column was declared as, a value is compared as what it is: number, text or blob, to its last bit."""
    urls = [
        sqlite(tmp_path / f"{number}.db", f"create table t (v {declared})", f"insert into t values ({value})")
        for number, value in enumerate((left, right))
    ]
    assert diff(*urls).equal is equal


def test_numbers_texts_and_keys_of_other_types_meet(tmp_path: Path) -> None:
    """Keys are matched by value: big integers against doubles, UUIDs against text, unsigned numbers against text."""
    keys = {"id": "9007199254740993::bigint", "u": "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid",
            "n": "18446744073709551615::ubigint", "d": "2.50::decimal(9,2)", "w": "2::int"}  # fmt: skip
    others = {"id": "9007199254740992::double", "u": "'6BA7B810-9DAD-11D1-80B4-00C04FD430C8'",
              "n": "'18446744073709551615'", "d": "2.5::double", "w": "2.4::double"}  # fmt: skip
    for side, columns in (("l", keys), ("r", others)):
        selected = ", ".join(f"{value} as {name}" for name, value in columns.items())
        duckdb.sql(f"copy (select {selected}) to '{tmp_path}/{side}.parquet'")
    found = {
        name: diff(f"{tmp_path}/l.parquet", f"{tmp_path}/r.parquet", key=[name], columns=[name]).equal for name in keys
    }
    assert found == {"id": False, "u": True, "n": True, "d": True, "w": False}


def test_the_equivalence_is_printed(tmp_path: Path) -> None:
    """Two columns of different types say as what they were compared."""
    duckdb.sql(f"copy (select 1 as id, 0.5::double as v) to '{tmp_path}/l.parquet'")
    duckdb.sql(f"copy (select 1 as id, 0.5::decimal(9,3) as v) to '{tmp_path}/r.parquet'")
    found = diff(f"{tmp_path}/l.parquet", f"{tmp_path}/r.parquet", key=["id"])
    assert found.equal is True
    assert any(note.startswith("v: DOUBLE and DECIMAL(9,3) compared as float64") for note in found.notes)


def test_shapes_that_do_not_compare_are_refused(tmp_path: Path) -> None:
    """A struct against one of other fields, and bytes against a number, are usage errors that name the column."""
    for name, value in (("s", "{'a': 1}"), ("t", "{'b': 1}"), ("b", "'\\x00'::blob"), ("i", "1")):
        duckdb.sql(f"copy (select {value} as v) to '{tmp_path}/{name}.parquet'")
    for left, right in (("s", "t"), ("b", "i")):
        with pytest.raises(UsageError, match="column v"):
            diff(f"{tmp_path}/{left}.parquet", f"{tmp_path}/{right}.parquet")


@pytest.mark.lab
class TestPostgres:
    """What PostgreSQL hides, and what it writes in its own way."""

    def test_row_level_security_is_not_a_smaller_table(self, server: Postgres, schema: str) -> None:
        """A policy that would filter is an error that says so."""
        server.sql(f"create table {schema}.t (id int, v text)", f"insert into {schema}.t values (1, 'a'), (2, 'b')",
                   f"alter table {schema}.t enable row level security",
                   f"create policy p on {schema}.t using (id = 1)", f"create role {schema}_r login",
                   f"grant usage on schema {schema} to {schema}_r",
                   f"grant select on {schema}.t to {schema}_r")  # fmt: skip
        url = server.url.replace("postgres@", f"{schema}_r@")
        for options in ({}, {"pull": True}):
            with pytest.raises(AccessDenied, match="BYPASSRLS"):
                diff(f"{url}#{schema}.t", f"{url}#{schema}.t", key=["id"], **options)

    @pytest.mark.parametrize("key", [["id"], ["t"], ["id", "t"], []])
    def test_nulls_where_the_catalogue_says_there_are_none(self, server: Postgres, schema: str, key: list[str]) -> None:
        """A NULL in a NOT NULL column neither hides the rest of its row nor the row."""
        for side, value in (("l", 1), ("r", 2)):
            table = f"{schema}.{side}"
            named = f"attrelid = '{table}'::regclass and attname = 'v'"
            server.sql(f"create table {table} (id int not null, t text not null, v int not null, w int not null)",
                       f"alter table {table} alter v drop not null",
                       f"insert into {table} select i, i::text, i, i from generate_series(1, 20) i",
                       f"update {table} set v = null, w = {value} where id = 7",
                       f"update pg_attribute set attnotnull = true where {named}")  # fmt: skip
        found = diff(f"{server.url}#{schema}.l", f"{server.url}#{schema}.r", key=key)
        assert (found.equal, found.changed or found.added) == (False, 1)

    def test_hashed_and_pulled_agree(self, server: Postgres, schema: str) -> None:
        """Every pair of types and values gets one answer, whether the databases hash or the rows are read here."""
        pairs = {
            "a": ("1.0::numeric", "1.00::numeric"), "b": ("1.50::numeric(10,2)", "1.5000::numeric(10,4)"),
            "c": ("'a'::char(5)", "'a'::char(9)"), "d": ("'a'::char(5)", "'a'::text"),
            "e": ("'{\"a\":1,\"a\":2}'::json", "'{\"a\":2}'::jsonb"),
            "f": ("'{\"a\":1.50}'::jsonb", "'{\"a\": 1.5}'::json"),
            "g": ("'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid", "'6BA7B810-9DAD-11D1-80B4-00C04FD430C8'::text"),
            "h": ("1::int", "'1'::text"), "i": ("2::int", "1.5::float8"), "j": ("0.1::float8", "0.1::numeric"),
            "k": ("'2024-01-01'::date", "'2024-01-01 00:00'::timestamp"),
            "l": ("'[0:1]={1,2}'::int[]", "'{1,2}'::int[]"),
            "m": ("'{1,2}'::int[]", "'{1,2}'::bigint[]"), "n": ("'1 day'::interval", "'24:00'::interval"),
            "o": ("'12:00+02'::timetz", "'10:00+00'::timetz"), "p": ("1.5::float4", "1.5::float8"),
            "q": ("'10.0.0.1'::inet", "'10.0.0.1/32'::text"), "r": ("5::bigint", "5.0::numeric"),
            "s": ("'0044-03-15 BC'::date", "'0044-03-15'::date"), "t": ("true", "'yes'::text"),
            "u": ("'1'::money", "1.00::numeric"), "v": ("'{NaN,-0}'::float8[]", "'{NaN,0}'::float8[]"),
        }  # fmt: skip
        expected = {"a", "e", "i", "l", "n", "o", "s", "v"}
        for side, place in (("l", 0), ("r", 1)):
            columns = ", ".join(f"{values[place]} as {name}" for name, values in pairs.items())
            server.sql(f"create table {schema}.{side} as select 1 as id, {columns}")
        urls = [f"{server.url}#{schema}.{side}" for side in "lr"]
        assert set(diff(*urls, key=["id"]).changed_columns) == expected
        for name in pairs:
            answers = [diff(*urls, key=["id"], columns=[name], pull=pull).equal for pull in (False, True)]
            assert (name, answers) == (name, [name not in expected] * 2)

    @pytest.mark.parametrize(
        ("left", "right"),
        [("numeric", "bigint"), ("uuid", "text"), ("numeric", "numeric(10,3)"), ("char(4)", "text"), ("bigint", "text"),
         ("int", "bigint"), ("date", "timestamp")],
    )  # fmt: skip
    def test_keys_of_two_types_are_one_key(self, server: Postgres, schema: str, left: str, right: str) -> None:
        """Whole tables do not differ by the type of their key."""
        value = {"uuid": "md5(i::text)::uuid", "date": "'2024-01-01'::date + i", "char(4)": "i::text"}.get(left, "i")
        for side, kind in (("l", left), ("r", right)):
            server.sql(
                f"create table {schema}.{side} as select ({value})::{kind} as id, i as v from generate_series(1, 50) i"
            )
        server.sql(f"update {schema}.r set v = 0 where v = 7")
        found = diff(f"{server.url}#{schema}.l", f"{server.url}#{schema}.r", key=["id"])
        assert (found.changed, found.added, found.removed) == (1, 0, 0)
