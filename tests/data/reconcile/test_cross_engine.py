from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest

from chaosday.data.reconcile import Side, diff
from chaosday.data.reconcile.sources.mysql import MysqlSource
from chaosday.errors import AccessDenied, MalformedInput, TargetUnreachable, UsageError

pytestmark = pytest.mark.lab


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


def test_mariadb_refusals(mariadb: str, tmp_path: Path) -> None:
    """A wrong password and a missing table are told apart."""
    (tmp_path / "good.csv").write_text("id,v\n1,2\n")
    with pytest.raises(AccessDenied) as caught:
        diff(f"{mariadb.replace('lab:lab@', 'lab:wrong@')}#t", str(tmp_path / "good.csv"), key=["id"])
    assert "wrong" not in str(caught.value)
    with pytest.raises(UsageError, match="nope"):
        diff(f"{mariadb}#nope", str(tmp_path / "good.csv"), key=["id"])


def test_every_row_and_column_of_mariadb_counts(mariadb: str, tmp_path: Path) -> None:
    """Those that a star leaves out, and those beyond the limit that a server has for every answer."""
    (tmp_path / "t.csv").write_text("id,v\n0,1\n")
    client = lab_client(mariadb)
    client.execute("create table hidden (id int, v int invisible)")
    client.execute("insert into hidden (id, v) values (0, 2)")
    client.execute("create table long_one (id int, v int)")
    client.execute("insert into long_one values (0, 1), (1, 2)")
    client.execute("set global sql_select_limit = 1")
    try:
        for table in ("hidden", "long_one"):
            assert diff(f"{mariadb}#{table}", str(tmp_path / "t.csv"), key=["id"]).equal is False
    finally:
        client.execute("set global sql_select_limit = default")


def test_a_write_behind_the_point_is_a_write(mariadb: str) -> None:
    """A table that changed while it was compared is known by any digit of its numbers."""
    client = lab_client(mariadb)
    client.execute("create table prices (id int, v decimal(10, 2), w double)")
    client.execute("insert into prices values (0, 1.25, 1.25)")
    for column in ("v", "w"):
        source = MysqlSource(Side.parse(f"{mariadb}#prices"), "left")
        client.execute(f"update prices set {column} = 1.3")
        assert source.changed()
        source.close()


def lab_client(url: str) -> Any:
    """A client that writes."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    return pymysql.connect(
        host="127.0.0.1", port=port, user="lab", password="lab", database="d", autocommit=True
    ).cursor()
