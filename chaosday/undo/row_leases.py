"""Leases for rows in MariaDB and SQLite: pre-images and the lease in tables beside them; a database has no timer.

A lease has two tables, named after it: the rows as they were, and what the fault wrote. They and the lease are
committed before the first row is touched. Ending a fault puts back, in one transaction, what still reads as the fault
left it, and what others wrote since stays. Every row that was there is noted: damage may read the same as text, where
fewer digits are printed than there are. What is done in PostgreSQL is in ``table_leases``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b
from typing import Any

import orjson

from chaosday.clients.tables import limited
from chaosday.errors import ChaosdayError, LeaseError
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.model.sql import Sql, SqlConnection
from chaosday.record.signing import is_ours, lease_mac, not_ours
from chaosday.undo.row_words import Table, exact, table_of, words_of

ANSWER_S = 60.0
LEASES = "chaosday_leases"
STUCK_TOLD = 5


def tables_of(lease_id: str) -> tuple[str, str]:
    """The names of a lease's tables; names of tables may be shorter than a lease's."""
    digest = blake2b(lease_id.encode(), digest_size=8).hexdigest()
    return f"chaosday_kept_{digest}", f"chaosday_wrote_{digest}"


class RowLeases:
    """The lease holder of a database. The undo's data names ``table``, ``key``, ``keys`` (JSON) and ``column`` (empty
    where rows are deleted)."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def arm(self, lease: Lease) -> None:
        """Make the lease's tables, keep every row that will be hurt, then the lease."""
        data, (kept, wrote) = lease.undo.data, tables_of(lease.id)
        keys = orjson.loads(str(data.get("keys", "[]")))
        with self._changing(f"lease {lease.id} could not be stored") as connection:
            table, words = table_of(connection, str(data["table"])), words_of(connection)
            stored = connection.dialect.stored
            # MariaDB commits with every change to its catalogue: so that comes first, and the lease last.
            connection.execute(
                f"create table if not exists {LEASES} (id varchar(80) primary key, run text, fault text, "
                f"ends longtext, deadline double precision, mac text){stored}"
            )
            connection.execute(f"create table {kept}{stored} as select * from {table.quoted} where 1 = 0", ())  # noqa: S608
            connection.execute(f"create table {wrote} (k {words.text_type}, v {words.text_type}){stored}")
            connection.execute(f"create index {wrote}_k on {wrote} ({words.sought})")
            with connection.transaction():
                keep(connection, table, kept, str(data["key"]), keys)
                undo = lease.undo.model_dump_json()
                given = lease_mac(LEASES, lease.id, undo.encode())
                connection.execute(
                    f"insert into {LEASES} values ({connection.dialect.marks(6)})",  # noqa: S608
                    (lease.id, lease.run, lease.fault, undo, time.time() + lease.ttl_s, given),
                )

    def renew(self, lease_id: str, ttl_s: float) -> None:
        """Move the deadline; ``LeaseError`` where it has passed."""
        with self._changing(f"lease {lease_id} could not be renewed") as connection:
            mark, now = connection.dialect.mark, time.time()
            done = connection.execute(
                f"update {LEASES} set deadline = {mark} where id = {mark} and deadline > {mark}",  # noqa: S608
                (now + ttl_s, lease_id, now),
            )
            if done.rowcount != 1:
                raise LeaseError(f"lease {lease_id} is over: it cannot be renewed")

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Put back what the fault changed, and forget the lease; any number of times."""
        with self._changing(f"lease {lease_id} could not be undone") as connection:
            if not self._there(connection, lease_id):
                return
            (kept, wrote), stuck = tables_of(lease_id), []
            if _exists(connection, kept) and _exists(connection, wrote):
                trusted = self._trusted(connection, lease_id, undo).data
                table = table_of(connection, str(trusted["table"]))
                with connection.transaction():
                    stuck = put_back(connection, lease_id, table, str(trusted["key"]), str(trusted.get("column", "")))
                if stuck:
                    raise LeaseError(
                        f"{len(stuck)} rows of {table.name} are kept and not back, the others are: others' rows are in "
                        f"the way; change those, and recover again: {'; '.join(stuck[:STUCK_TOLD])}"
                    )
            for name in (wrote, kept):
                connection.execute(f"drop table if exists {name}")
            mark = connection.dialect.mark
            connection.execute(f"delete from {LEASES} where id = {mark}", (lease_id,))  # noqa: S608
            _drop_empty(connection)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        with self._changing("the leases could not be looked at") as connection:
            return [f"rows kept for {lease_id} are still there"] if self._there(connection, lease_id) else []

    def leases(self) -> list[LeaseState]:
        """Every lease that this database holds."""
        with self._changing("the leases could not be listed") as connection:
            if not _exists(connection, LEASES):
                return []
            rows = connection.execute(f"select id, run, fault, deadline from {LEASES}").fetchall()  # noqa: S608
        return [LeaseState(id=row[0], run=row[1], fault=row[2], remaining_s=row[3] - time.time()) for row in rows]

    def _trusted(self, connection: SqlConnection, lease_id: str, undo: Undo | None) -> Undo:
        """The stored undo where we signed it, else what the caller knows by itself."""
        found = self._row(connection, lease_id)
        if found and is_ours(str(found[1]), LEASES, lease_id, str(found[0]).encode()):
            return Undo.model_validate_json(str(found[0]))
        if undo is None:
            raise not_ours(lease_id)
        return undo

    def _row(self, connection: SqlConnection, lease_id: str) -> Any:
        if not _exists(connection, LEASES):
            return None
        mark = connection.dialect.mark
        return connection.execute(f"select ends, mac from {LEASES} where id = {mark}", (lease_id,)).fetchone()  # noqa: S608

    def _there(self, connection: SqlConnection, lease_id: str) -> bool:
        return any(_exists(connection, name) for name in tables_of(lease_id)) or bool(self._row(connection, lease_id))

    @contextmanager
    def _changing(self, words: str) -> Iterator[SqlConnection]:
        try:
            with closing(self._sql.open(answer_s=ANSWER_S)) as connection:
                limited(connection, ANSWER_S / 2)
                for each in words_of(connection).session:
                    connection.execute(each)
                yield connection
        except ChaosdayError:
            raise
        except self._sql.dialect.errors as error:
            raise LeaseError(f"{words}: {' '.join(str(error).split())[:200]}") from None


def keep(connection: SqlConnection, table: Table, kept: str, key: str, keys: list[str]) -> None:
    """Copy the rows as they are now, held until the transaction ends: what others wrote before it is theirs."""
    words, named = words_of(connection), connection.dialect.named(key)
    chosen = f"{words.text.format(named)} in ({connection.dialect.marks(len(keys))})"
    connection.execute(f"select 1 from {table.quoted} where {chosen}{words.held}", keys).fetchall()  # noqa: S608
    connection.execute(f"delete from {kept}")  # noqa: S608
    columns = ", ".join(connection.dialect.named(each) for each in (*table.columns, *table.generated))
    copied = f"insert into {kept} ({columns}) select {columns} from {table.quoted} where {chosen}"  # noqa: S608
    connection.execute(copied, keys)


def note_written(connection: SqlConnection, lease_id: str, table: Table, key: str, column: str) -> None:
    """Note what the fault's rows read now, in the transaction that changed them: without that nothing is put back."""
    words, (kept, wrote) = words_of(connection), tables_of(lease_id)
    k = connection.dialect.named(key)
    joined = f"{kept} p left join {table.quoted} t on {words.text.format(f't.{k}')} = {words.text.format(f'p.{k}')}"
    now = words.text.format(exact(connection, table, column or key, "t"))
    there = f"t.{k} is not null" if column else f"t.{k} is null"
    asked = f"insert into {wrote} select {words.text.format(f'p.{k}')}, {now} from {joined} where {there}"  # noqa: S608
    connection.execute(asked, ())


def still_written(connection: SqlConnection, lease_id: str, table: Table, key: str, column: str) -> int:
    """How many rows read as the fault left them, and otherwise than before: what somebody has written over since is
    hurt no more."""
    words, (kept, wrote) = words_of(connection), tables_of(lease_id)
    k = connection.dialect.named(key)
    joined = f"{wrote} w left join {table.quoted} t on {words.text.format(f't.{k}')} = w.k"
    left = f"t.{k} is null"
    if column:
        joined += f" join {kept} p on {words.text.format(f'p.{k}')} = w.k"
        left = _still_other(connection, table, column)
    return int(connection.execute(f"select count(*) from {joined} where {left}", ()).fetchone()[0])  # noqa: S608


def _still_other(connection: SqlConnection, table: Table, column: str) -> str:
    """Whether row ``t`` reads as is noted in ``w`` and is not as it was in ``p``, by its value or by how it reads: two
    values that read the same may differ, and so may two that are equal where case or spaces do not count."""
    words, c = words_of(connection), connection.dialect.named(column)
    now, before = (words.text.format(exact(connection, table, column, each)) for each in "tp")
    other = f"not ({words.same.format(f't.{c}', f'p.{c}')}) or not ({words.same.format(now, before)})"
    return f"{words.same.format(now, 'w.v')} and ({other})"


def put_back(connection: SqlConnection, lease_id: str, table: Table, key: str, column: str) -> list[str]:
    """Undo what was noted; in words the deleted rows that could not be. ``LeaseError``, and nothing changed, where it
    is not so afterwards."""
    words, (kept, wrote) = words_of(connection), tables_of(lease_id)
    named, stuck = connection.dialect.named, list[str]()
    k = named(key)
    mine = f"{words.text.format(f'p.{k}')} = {words.text.format(f'{table.quoted}.{k}')}"
    if column:
        c = named(column)
        hurt = (
            f"select 1 from {wrote} w where w.k = {words.text.format(f'{table.quoted}.{k}')} "  # noqa: S608
            f"and {words.same.format(words.text.format(exact(connection, table, column, table.quoted)), 'w.v')}"
        )
        before = f"select p.{c} from {kept} p where {mine}"  # noqa: S608
        connection.execute(f"update {table.quoted} set {c} = ({before}) where exists ({hurt})", ())  # noqa: S608
        left = (
            f"select count(*) from {kept} p join {wrote} w on {words.text.format(f'p.{k}')} = w.k "  # noqa: S608
            f"join {table.quoted} t on {words.text.format(f't.{k}')} = w.k "
            f"where {_still_other(connection, table, column)}"
        )
    else:
        columns, listed = ", ".join(map(named, table.columns)), ", ".join(f"p.{named(each)}" for each in table.columns)
        gone = f"not exists (select 1 from {table.quoted} where {mine})"  # noqa: S608
        noted = f"{kept} p join {wrote} w on w.k = {words.text.format(f'p.{k}')}"
        insert = f"insert into {table.quoted} ({columns}) select {listed} from {noted} where {gone}"  # noqa: S608
        stuck = _inserted(connection, insert, f"select w.k from {noted} where {gone}")  # noqa: S608
        left = f"select count(*) from {noted} where {gone}"  # noqa: S608
    if (count := connection.execute(left, ()).fetchone()[0]) > len(stuck):
        raise LeaseError(f"{count} rows of {table.name} still read as the fault left them")
    return stuck


def _inserted(connection: SqlConnection, insert: str, missing: str) -> list[str]:
    """All rows at once, or where one of them is refused, each that is not: the others, by key and why."""
    if _tried(connection, insert, ()) is None:
        return []
    stuck = []
    for (key,) in connection.execute(missing, ()).fetchall():
        if (why := _tried(connection, f"{insert} and w.k = {connection.dialect.mark}", (key,))) is not None:
            stuck.append(f"{key.decode(errors='replace') if isinstance(key, bytes) else key} ({why})")
    return stuck


def _tried(connection: SqlConnection, statement: str, arguments: tuple[Any, ...]) -> str | None:
    """None where it was done, else why not; what was done before stays."""
    connection.execute("savepoint chaosday_back")
    try:
        connection.execute(statement, arguments)
    except connection.dialect.errors as error:
        # Where more is at an end than the statement, this fails, and the whole undo with it.
        connection.execute("rollback to savepoint chaosday_back")
        return " ".join(str(error).split())[:120]
    return None


def _drop_empty(connection: SqlConnection) -> None:
    """Take the table of leases away with the last one; another run's may come between, and is not to be lost."""
    (lock, release), dialect = words_of(connection).alone, connection.dialect
    try:
        connection.execute(lock.format(table=LEASES))
        if not connection.execute(f"select count(*) from {LEASES}").fetchone()[0]:  # noqa: S608
            connection.execute(f"drop table {LEASES}")
        connection.execute(release)
    except dialect.errors as error:
        # Somebody else took it away; or we may not lock it, and it stays, empty.
        if not (dialect.absent(error) or dialect.denied(error)):
            raise


def _exists(connection: SqlConnection, name: str) -> bool:
    try:
        connection.execute(f"select 1 from {name} where 1 = 0").fetchall()  # noqa: S608
    except connection.dialect.errors as error:
        if connection.dialect.absent(error):
            return False
        raise
    return True
