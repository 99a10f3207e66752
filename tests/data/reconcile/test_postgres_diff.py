from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chaosday.data.reconcile import DiffResult, diff
from chaosday.errors import AccessDenied, TargetUnreachable, UsageError
from tests.data.reconcile.mutations import MUTATIONS, fill
from tests.data.reconcile.servers import Postgres

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def original(server: Postgres) -> str:
    """A table with every common type in it."""
    server.sql("create schema mutants", *fill("mutants.original", 300))
    return "mutants.original"


@pytest.fixture
def pair(server: Postgres, schema: str) -> Iterator[tuple[str, str, str]]:
    """Two equal tables of 1,000 rows: schema, left, right."""
    server.sql(f"create table {schema}.l (id int primary key, a text, b float8)",
               f"insert into {schema}.l select i, md5(i::text), i / 3.0 from generate_series(1, 1000) i",
               f"create table {schema}.r (like {schema}.l including all)",
               f"insert into {schema}.r select * from {schema}.l")  # fmt: skip
    yield schema, f"{schema}.l", f"{schema}.r"


def between(server: Postgres, left: str, right: str, *key: str, **options: object) -> DiffResult:
    return diff(f"{server.url}#{left}", f"{server.url}#{right}", key=key, **options)


def keys_found(result: DiffResult, key: str = "id") -> set[str]:
    frame = result.to_pandas()
    return set() if frame.empty else set(frame[key])


@pytest.mark.parametrize("name", MUTATIONS)
def test_exact_mode_finds_every_mutation(server: Postgres, schema: str, original: str, name: str) -> None:
    """Each planted mutation is found, in the right row and nowhere else."""
    copy = f"{schema}.copy"
    server.sql(f"create table {copy} (like {original} including all)", f"insert into {copy} select * from {original}",
               MUTATIONS[name].sql.format(t=copy))  # fmt: skip
    result = between(server, original, copy, "id")
    assert result.exit_code == 1
    assert keys_found(result) == MUTATIONS[name].keys


def test_an_equal_copy_is_equal(server: Postgres, schema: str, original: str) -> None:
    """A copy in another physical order is equal, in both modes and as a multiset."""
    copy = f"{schema}.copy"
    server.sql(f"create table {copy} (like {original})", f"insert into {copy} select * from {original} order by note")
    assert [
        between(server, original, copy, *key, fast=fast).exit_code for key in (["id"], []) for fast in (False, True)
    ] == [0] * 4


def test_fast_mode_says_what_it_cannot_see(server: Postgres, pair: tuple[str, str, str]) -> None:
    """-0.0 passes for 0.0 in fast mode, and the result says so; exact mode finds it."""
    _, left, right = pair
    server.sql(f"update {left} set b = 0.0 where id = 5", f"update {right} set b = '-0.0' where id = 5")
    fast, exact = (between(server, left, right, "id", fast=fast) for fast in (True, False))
    assert fast.equal is True
    assert any("-0.0" in line for line in fast.blind_to)
    assert exact.changed_columns == {"b": 1}


@pytest.mark.parametrize(
    ("cast", "key"),
    [("id::bigint", "id"), ("id::text", "id"), ("md5(id::text)::uuid", "id"), ("id::bigint * 1000003", "id"),
     ("(id - 500)::smallint", "id")],
)  # fmt: skip
def test_keys_of_every_kind(server: Postgres, schema: str, pair: tuple[str, str, str], cast: str, key: str) -> None:
    """Added, removed and changed rows are told apart under integer, sparse, text and UUID keys."""
    _, left, _ = pair
    for side in ("kl", "kr"):
        server.sql(f"create table {schema}.{side} as select {cast} as id, a, b from {left}",
                   f"alter table {schema}.{side} add primary key (id)", f"analyze {schema}.{side}")  # fmt: skip
    server.sql(f"delete from {schema}.kr where a = md5('10')", f"delete from {schema}.kl where a = md5('20')",
               f"update {schema}.kr set b = 0 where a = md5('30')")  # fmt: skip
    result = between(server, f"{schema}.kl", f"{schema}.kr", key)
    assert (result.removed, result.added, result.changed) == (1, 1, 1)
    assert (result.rows_left, result.rows_right) == (999, 999)


def test_composite_keys_and_nulls_in_keys(server: Postgres, schema: str) -> None:
    """('a,b', 'c') and ('a', 'b,c') are different keys, and so are NULL and ''."""
    for side in ("l", "r"):
        server.sql(f"create table {schema}.{side} (x text, y text, v int)",
                   f"insert into {schema}.{side} values ('a,b', 'c', 1), ('a', 'b,c', 2)",
                   f"insert into {schema}.{side} values (null, '', 3), ('', null, 4)")  # fmt: skip
    assert between(server, f"{schema}.l", f"{schema}.r", "x", "y").exit_code == 0
    server.sql(f"update {schema}.r set v = 4 where x is null", f"update {schema}.r set v = 3 where y is null")
    result = between(server, f"{schema}.l", f"{schema}.r", "x", "y")
    assert (result.changed, result.added, result.removed) == (2, 0, 0)


def test_null_integer_keys_are_keys_like_others(server: Postgres, schema: str) -> None:
    """A row whose integer key is NULL is compared, not dropped."""
    for side, value in (("l", 1), ("r", 2)):
        server.sql(f"create table {schema}.{side} (id int, v int)",
                   f"insert into {schema}.{side} select i, i from generate_series(1, 200) i",
                   f"insert into {schema}.{side} values (null, {value})")  # fmt: skip
    result = between(server, f"{schema}.l", f"{schema}.r", "id")
    assert (result.changed, result.rows_left) == (1, 201)


@pytest.mark.parametrize(
    ("on_left", "on_right", "duplicates", "code"), [(1, 1, 1, 0), (0, 1, 1, 1), (1, 0, 1, 1), (2, 1, 1, 1)]
)
@pytest.mark.parametrize("key", ["id", "t"])
def test_duplicate_keys_are_reported(
    server: Postgres, schema: str, key: str, on_left: int, on_right: int, duplicates: int, code: int
) -> None:
    """A key that occurs twice is reported on whichever side it is, even where both sides agree."""
    for side, extra in (("l", on_left), ("r", on_right)):
        server.sql(f"create table {schema}.{side} as select i as id, i::text as t, i v from generate_series(1, 500) i",
                   f"insert into {schema}.{side} select 7, '7', 7 from generate_series(1, {extra})")  # fmt: skip
    result = between(server, f"{schema}.l", f"{schema}.r", key)
    assert (result.duplicate_keys, result.exit_code) == (duplicates, code)
    assert (result.duplicate_keys_left, result.duplicate_keys_right) == (int(on_left > 0), int(on_right > 0))
    assert result.duplicate_sample == ["7"]


def test_two_pairs_of_equal_rows_do_not_cancel(server: Postgres, schema: str) -> None:
    """{A, A} against {B, B} under one key: equal counts and XORs of zero are not equality."""
    for side, value in (("l", 1), ("r", 2)):
        server.sql(f"create table {schema}.{side} as select 1 as id, {value} as v from generate_series(1, 2)")
    assert between(server, f"{schema}.l", f"{schema}.r", "id").exit_code == 1


def test_tables_without_a_key_are_multisets(server: Postgres, schema: str) -> None:
    """Without a key, how often a row is there counts."""
    server.sql(f"create table {schema}.l as select i % 10 as v from generate_series(1, 100) i",
               f"create table {schema}.r as select * from {schema}.l", f"insert into {schema}.r values (3), (3), (77)",
               f"delete from {schema}.r where ctid = (select min(ctid) from {schema}.r where v = 5)")  # fmt: skip
    result = between(server, f"{schema}.l", f"{schema}.r")
    assert (result.added, result.removed, result.changed) == (3, 1, 0)
    assert any("multiset" in note for note in result.notes)


def test_renamed_ignored_and_tolerated_columns_are_stated(server: Postgres, pair: tuple[str, str, str]) -> None:
    """What is mapped, left out and tolerated is in the notes, and nothing else is let through."""
    _, left, right = pair
    server.sql(f"alter table {right} rename column a to aa", f"alter table {right} add column extra int",
               f"update {right} set b = b + case id when 50 then 1 else 0.001 end where id in (3, 50)")  # fmt: skip
    options: dict[str, object] = {"renamed": {"a": "aa"}, "ignored": frozenset({"extra"}), "tolerances": {"b": 0.01}}
    result = between(server, left, right, "id", **options)
    assert (result.changed, keys_found(result)) == (1, {"50"})
    assert len([note for note in result.notes if note.split(":")[0] in {"NOT compared", "mapped", "TOLERATED"}]) == 3


def test_columns_of_other_types_are_compared_by_value(server: Postgres, pair: tuple[str, str, str]) -> None:
    """int and bigint, varchar and text, float and text compare by value; text[] and float do not."""
    _, left, right = pair
    server.sql(f"alter table {right} alter a type varchar(40), alter id type bigint")
    assert between(server, left, right, "id").exit_code == 0
    server.sql(f"alter table {right} alter b type text")
    assert between(server, left, right, "id").exit_code == 0
    server.sql(f"alter table {right} alter b type text[] using array[b]")
    with pytest.raises(UsageError, match="column b"):
        between(server, left, right, "id")


def test_everything_different_is_streamed(server: Postgres, schema: str) -> None:
    """A table of which every row differs is compared in chunks, and every row is counted."""
    server.sql(f"create table {schema}.l as select i as id, i as v from generate_series(1, 30000) i",
               f"create table {schema}.r as select id, v + 1 as v from {schema}.l where id > 100")  # fmt: skip
    result = between(server, f"{schema}.l", f"{schema}.r", "id")
    assert (result.changed, result.removed, len(result.to_pandas())) == (29900, 100, 30000)


def test_differences_hold_both_values(server: Postgres, pair: tuple[str, str, str], tmp_path: Path) -> None:
    """The Parquet of differences names the row, the columns and both values."""
    _, left, right = pair
    server.sql(f"update {right} set a = null where id = 3")
    frame = between(server, left, right, "id", output=tmp_path / "d.parquet").to_pandas()
    assert frame.loc[0, ["difference", "id", "left_a"]].tolist() == ["changed", "3", "eccbc87e4b5ce2fe28308fd9f2a7baf3"]
    assert list(frame.loc[0, "changed_columns"]) == ["a"]
    assert frame["right_a"].isna().all()


def test_queries_and_views_are_sides_too(server: Postgres, pair: tuple[str, str, str]) -> None:
    """A query and a view compare like tables."""
    schema, left, right = pair
    server.sql(f"create view {schema}.v as select * from {right}", f"delete from {right} where id = 9")
    result = between(server, f"select * from {left} where id <> 8", f"{schema}.v", "id")
    assert keys_found(result) == {"8", "9"}


def test_a_damaged_index_does_not_hide_rows(server: Postgres, pair: tuple[str, str, str]) -> None:
    """Rows that the heap holds and the index does not are counted, and the disagreement is told."""
    _, left, right = pair
    # No index can be told to lie, but a partial one can be made to look whole.
    server.sql(f"alter table {right} drop constraint r_pkey", f"create index on {right} (id) where id <> 5",
               f"update pg_index set indpred = null where indrelid = '{right}'::regclass",
               f"update {right} set a = 'x' where id = 4")  # fmt: skip
    result = between(server, left, right, "id")
    assert keys_found(result) == {"4"}
    assert any("amcheck" in note for note in result.notes)


@pytest.mark.parametrize("query", [False, True])
def test_a_side_that_changes_meanwhile_is_inconclusive(server: Postgres, pair: tuple[str, str, str], query: bool,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A write after the snapshot, to a table or under a query, makes the answer inconclusive."""
    from chaosday.data.reconcile import pgdiff

    _, left, right = pair
    hashing = pgdiff.hash_both

    def written_meanwhile(*hashers: pgdiff.Hasher) -> object:
        answer = hashing(*hashers)
        server.sql(f"update {right} set a = 'late' where id = 1")
        return answer

    monkeypatch.setattr(pgdiff, "hash_both", written_meanwhile)
    result = between(server, left, f"select * from {right}" if query else right, "id")
    assert (result.equal, result.exit_code, result.changed) == (None, 2, 0)
    assert "right side changed" in result.reasons[0]


def test_writes_elsewhere_do_not_disturb(server: Postgres, pair: tuple[str, str, str]) -> None:
    """Other tables may be written to all the while; a write finished just before is not taken for a change."""
    schema, left, right = pair
    server.sql(f"create table {schema}.other (v int)")
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(server.url, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute(f"insert into {schema}.other values (1)".encode())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        server.sql(f"update {left} set a = 'x' where id = 1", f"update {right} set a = 'x' where id = 1")
        assert between(server, left, right, "id").exit_code == 0
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize(
    ("left", "key", "words"),
    [("nowhere", "id", "no table"), ("{l}", "nope", "no column 'nope'"), ("select 1 as", "id", "cannot be read"),
     ("select id, id from {l}", "id", "several columns")],
)  # fmt: skip
def test_bad_input_is_one_line(server: Postgres, pair: tuple[str, str, str], left: str, key: str, words: str) -> None:
    """A missing table, a wrong key and a broken query are usage errors in one line."""
    with pytest.raises(UsageError, match=words) as caught:
        between(server, left.format(l=pair[1]), pair[2], key)
    assert "\n" not in str(caught.value)


def test_unreachable_and_denied(server: Postgres, pair: tuple[str, str, str]) -> None:
    """No server and no permission are told apart, without the password."""
    _, left, right = pair
    with pytest.raises(TargetUnreachable) as gone:
        diff(f"postgresql://u:secret@127.0.0.1:1/x#{left}", f"{server.url}#{right}", key=["id"])
    server.sql("drop role if exists nosy", "create role nosy login")
    with pytest.raises(AccessDenied):
        diff(f"{server.url.replace('postgres@', 'nosy@')}#{left}", f"{server.url}#{right}", key=["id"])
    assert "secret" not in str(gone.value)


def test_across_major_versions(server: Postgres, debian: Postgres, schema: str) -> None:
    """PostgreSQL 15 and 18 hash alike: equal tables are equal, and every mutation is found at once."""
    server.sql(*fill(f"{schema}.t", 300))
    debian.sql(f"drop schema if exists {schema} cascade", f"create schema {schema}", *fill(f"{schema}.t", 300))
    sides = [f"{one.url}#{schema}.t" for one in (server, debian)]
    assert diff(*sides, key=["id"]).exit_code == 0
    debian.sql(f"update {schema}.t set score = '-0.0' where id = 3")
    assert diff(*sides, key=["id"]).changed == 1
