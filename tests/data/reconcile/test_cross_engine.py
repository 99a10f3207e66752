from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from chaosday.data.reconcile import diff
from chaosday.errors import AccessDenied, MalformedInput, TargetUnreachable, UsageError
from tests.data.reconcile.servers import Postgres

pytestmark = pytest.mark.lab

# Per type: how each engine declares it, and literals that mean the same there; the last row differs.
ENGINES = ("postgresql", "mariadb", "sqlite", "duckdb", "parquet", "csv")
TYPES: dict[str, dict[str, str]] = {
    "int": dict.fromkeys(ENGINES, "bigint"),
    "bool": {**dict.fromkeys(ENGINES, "boolean"), "mariadb": "tinyint(1)"},
    "decimal": {**dict.fromkeys(ENGINES, "decimal(20,6)"), "duckdb": "decimal(18,8)"},
    "float": {**dict.fromkeys(ENGINES, "double"), "postgresql": "float8"},
    "text": {**dict.fromkeys(ENGINES, "varchar(80)"), "postgresql": "text"},
    "bytes": {"postgresql": "bytea", "mariadb": "varbinary(20)", "sqlite": "blob", "duckdb": "blob", "parquet": "blob"},
    "date": dict.fromkeys(ENGINES, "date"),
    "time": {**dict.fromkeys(ENGINES, "time"), "mariadb": "time(6)"},
    "timestamp": {**dict.fromkeys(ENGINES, "timestamp"), "mariadb": "datetime(6)"},
    "timestamptz": {**dict.fromkeys(ENGINES, "timestamptz"), "mariadb": "timestamp(6)"},
    "uuid": {**dict.fromkeys(ENGINES, "uuid"), "mariadb": "char(36)"},
    "json": {**dict.fromkeys(ENGINES, "json"), "postgresql": "jsonb", "mariadb": "json"},
    "list": {"postgresql": "int[]", "duckdb": "int[]", "parquet": "int[]"},
    "interval": {"postgresql": "interval", "duckdb": "interval", "parquet": "interval"},
}
VALUES: dict[str, tuple[list[str], str]] = {
    "int": (["0", "-1", "9223372036854775807"], "9223372036854775806"),
    "bool": (["true", "false"], "true"),
    "decimal": (["0.5", "-12345678.000001", "0", "100"], "100.000001"),
    "float": (["0.1", "3.141592653589793", "-2.5e-300", "1e22"], "3.1415926535897936"),
    "text": (["''", "'a,b\"c'", "'caf\u00e9'", "'NULL'", "'two\nlines'", "' x '"], "'cafe\u0301'"),
    "bytes": (["00ff", "", "6162"], "6163"),
    "date": (["'2024-02-29'", "'1969-12-31'"], "'2024-03-01'"),
    "time": (["'00:00:00'", "'23:59:59.000001'"], "'23:59:59.000002'"),
    "timestamp": (["'2024-02-29 12:00:00'", "'1970-01-01 00:00:01.000001'"], "'1970-01-01 00:00:01.000002'"),
    "timestamptz": (["'2024-02-29 12:00:00'", "'2001-01-01 00:00:01.5'"], "'2001-01-01 00:00:01.500001'"),
    "uuid": (["'6ba7b810-9dad-11d1-80b4-00c04fd430c8'"], "'6ba7b810-9dad-11d1-80b4-00c04fd430c9'"),
    "json": (["""'{"b": [1.50, null], "a": "x"}'""", "'[]'"], """'{"a":"x","b":[1.51,null]}'"""),
    "list": (["[1,2,3]", "[]", "[null]"], "[1,2]"),
    "interval": (["'1 day'", "'2 months 00:00:01'"], "'24:00:00'"),
}


def spelled(kind: str, engine: str, value: str) -> str:
    """A value in an engine's own spelling."""
    if kind == "bytes":
        return f"decode('{value}', 'hex')" if engine == "postgresql" else (
            f"from_hex('{value}')" if engine in {"duckdb", "parquet"} else f"x'{value}'")  # fmt: skip
    if kind == "list" and engine == "postgresql":
        return f"array{value}::int[]"
    if kind == "json" and engine == "duckdb":
        return value.replace(" ", "")
    return f"{value}::interval" if kind == "interval" else value


class Store:
    """Makes tables in any engine; ``make`` gives the side to compare."""

    def __init__(self, folder: Path, server: Postgres, mariadb: Callable[[], str]) -> None:
        self.folder, self.server, self.mariadb = folder, server, mariadb
        self.names = itertools.count()

    def make(self, engine: str, declared: str, values: list[str]) -> str:
        name = f"x{next(self.names)}_{self.folder.name.replace('-', '_')}"
        create = f"create table {name} (id int primary key, v {declared})"
        rows = ", ".join(f"({number}, {value})" for number, value in enumerate([*values, "null"]))
        insert = f"insert into {name} values {rows}"
        if engine == "postgresql":
            self.server.sql(create, insert)
            return f"{self.server.url}#{name}"
        if engine == "mariadb":
            return self._mariadb(name, [f"drop table if exists {name}", create, insert])
        path = self.folder / name
        if engine == "sqlite":
            with sqlite3.connect(path) as database:
                database.execute(create)
                database.execute(insert)
            database.close()
            return f"sqlite:///{path}#{name}"
        with duckdb.connect(str(path)) as database:
            database.execute("set timezone = 'UTC'")
            database.execute(create)
            database.execute(insert)
            if engine == "duckdb":
                return f"duckdb:///{path}#{name}"
            target = f"{path}.{engine}"
            force = ", header, force_quote (v)" if engine == "csv" else ""
            database.execute(f"copy {name} to '{target}' (format {engine}{force})")
        return target

    def _mariadb(self, name: str, statements: list[str]) -> str:
        import pymysql

        url = self.mariadb()
        port = int(url.rpartition(":")[2].partition("/")[0])
        connection = pymysql.connect(host="127.0.0.1", port=port, user="lab", password="lab", database="d",
                                     autocommit=True, charset="utf8mb4")  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute("set time_zone = '+00:00'")
            for statement in statements:
                cursor.execute(statement)
        return f"{url}#{name}"


@pytest.fixture
def store(tmp_path: Path, server: Postgres, request: pytest.FixtureRequest) -> Store:
    return Store(tmp_path, server, lambda: str(request.getfixturevalue("mariadb")))


PAIRS = [
    (kind, left, right)
    for kind, declared in TYPES.items()
    for left, right in itertools.combinations(ENGINES, 2)
    if left in declared and right in declared
]


@pytest.mark.parametrize(("kind", "left", "right"), PAIRS)
def test_every_type_between_every_two_engines(store: Store, kind: str, left: str, right: str) -> None:
    """Values that mean the same are equal across two engines, and one that differs is found, alone."""
    values, other = VALUES[kind]
    sides = [
        store.make(engine, TYPES[kind][engine], [spelled(kind, engine, value) for value in last])
        for engine, last in ((left, [*values, values[-1]]), (right, [*values, values[-1]]), (right, [*values, other]))
    ]
    assert diff(sides[0], sides[1], key=["id"]).to_dict()["equal"] is True
    found = diff(sides[0], sides[2], key=["id"])
    assert found.to_pandas()["id"].tolist() == [str(len(values))]


def test_null_is_not_empty_in_csv(tmp_path: Path) -> None:
    """An unquoted nothing is NULL, a quoted one is the empty text."""
    for name, cell in (("l", ""), ("r", '""')):
        (tmp_path / f"{name}.csv").write_text(f"id,v\n1,{cell}\n2,x\n")
    result = diff(str(tmp_path / "l.csv"), str(tmp_path / "r.csv"), key=["id"])
    assert (result.changed, result.rows_left) == (1, 2)


def test_minus_zero_and_the_last_bit_in_parquet(tmp_path: Path) -> None:
    """-0.0 differs from 0.0 and the last bit of a float counts, in files too."""
    duckdb.sql(f"copy (select i as id, i / 3.0::double as v from range(5) t(i)) to '{tmp_path}/l.parquet'")
    duckdb.sql(f"copy (select id, case id when 0 then '-0.0'::double when 1 then 0.33333333333333337 else v end as v"
               f" from '{tmp_path}/l.parquet') to '{tmp_path}/r.parquet'")  # fmt: skip
    assert set(diff(f"{tmp_path}/l.parquet", f"{tmp_path}/r.parquet", key=["id"]).to_pandas()["id"]) == {"0", "1"}


def test_a_glob_is_one_side(tmp_path: Path) -> None:
    """Several files are one table, and duplicate keys across them are reported."""
    for number in range(3):
        duckdb.sql(f"copy (select i as id, 'x' as v from range({number * 10}, {number * 10 + 11}) t(i))"
                   f" to '{tmp_path}/part{number}.parquet'")  # fmt: skip
    duckdb.sql(f"copy (select i as id, 'x' as v from range(31) t(i)) to '{tmp_path}/whole.parquet'")
    result = diff(f"{tmp_path}/part*.parquet", f"{tmp_path}/whole.parquet", key=["id"])
    assert (result.duplicate_keys_left, result.duplicate_keys_right, result.removed) == (2, 0, 2)


def test_everything_differs_without_key(tmp_path: Path) -> None:
    """Multisets of files: how often a row is there counts."""
    duckdb.sql(f"copy (select i % 3 as v from range(90) t(i)) to '{tmp_path}/l.csv'")
    duckdb.sql(f"copy (select i % 3 as v from range(92) t(i)) to '{tmp_path}/r.csv'")
    result = diff(f"{tmp_path}/l.csv", f"{tmp_path}/r.csv")
    assert (result.added, result.removed) == (2, 0)


@pytest.mark.parametrize("change", ["sqlite", "file"])
def test_a_side_that_changes_meanwhile_is_inconclusive(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit to SQLite or a rewritten file during the comparison makes it inconclusive."""
    from chaosday.data.reconcile import cross

    path = tmp_path / "s.db"
    with sqlite3.connect(path) as writer:
        writer.execute("pragma journal_mode = wal")
        writer.execute("create table t (id integer primary key, v text)")
        writer.execute("insert into t values (1, 'a')")
    file = tmp_path / "t.csv"
    file.write_text('id,v\n1,"a"\n')
    comparing = cross._compare

    def written_meanwhile(*given: object) -> None:
        comparing(*given)  # type: ignore[arg-type]
        if change == "file":
            file.write_text('id,v\n1,"b"\n')
        else:
            writer.execute("update t set v = 'b'")
            writer.commit()

    monkeypatch.setattr(cross, "_compare", written_meanwhile)
    result = diff(f"sqlite:///{path}#t", str(file), key=["id"])
    writer.close()
    assert (result.exit_code, result.changed) == (2, 0)


@pytest.mark.parametrize(
    ("left", "error"),
    [("nowhere.parquet", TargetUnreachable), ("bad.parquet", MalformedInput),
     ("sqlite:///bad.parquet#t", MalformedInput),
     ("sqlite:///ok.db#nope", UsageError), ("sqlite:///none.db#t", TargetUnreachable), ("x.txt", UsageError),
     ("oracle://h/d#t", UsageError), ("mysql://u@127.0.0.1:1/d#t", TargetUnreachable), ("sqlite:///ok.db", UsageError)],
)  # fmt: skip
def test_bad_input_is_one_line(
    tmp_path: Path, left: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, broken and unknown sides are one-line errors of the right kind."""
    monkeypatch.chdir(tmp_path)
    Path("bad.parquet").write_bytes(b"this is not a database nor a Parquet file" * 10)
    Path("good.csv").write_text("id,v\n1,2\n")
    database = sqlite3.connect("ok.db")
    database.execute("create table t (id int)")
    database.close()
    with pytest.raises(error) as caught:
        diff(left, "good.csv", key=["id"])
    assert "\n" not in str(caught.value)


def test_mariadb_refusals(store: Store, mariadb: str, tmp_path: Path) -> None:
    """A wrong password and a missing table are told apart."""
    (tmp_path / "good.csv").write_text("id,v\n1,2\n")
    with pytest.raises(AccessDenied) as caught:
        diff(f"{mariadb.replace('lab:lab@', 'lab:wrong@')}#t", str(tmp_path / "good.csv"), key=["id"])
    assert "wrong" not in str(caught.value)
    with pytest.raises(UsageError, match="nope"):
        diff(f"{mariadb}#nope", str(tmp_path / "good.csv"), key=["id"])
