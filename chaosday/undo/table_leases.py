"""Leases for rows in a database: pre-images and the lease kept in tables beside them; a database has no timer.

Everything is in the schema ``chaosday_kept``: a table of pre-images for each lease, named after it, and the
table ``leases``. Pre-images and lease are committed together before the first row is touched. Ending a fault
puts back the rows that were taken down, and removes those that it added, in one transaction. Nobody calls
this at the deadline, so a fault that relies on it asks for ``accept_weak_lease``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from chaosday.errors import LeaseError
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.model.target import Sql

SCHEMA = "chaosday_kept"


class TableLeases:
    """The lease holder of a PostgreSQL database. The undo's data names ``table``, ``key`` and ``keys`` (JSON)."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def arm(self, lease: Lease) -> None:
        """Keep every row that will be hurt, then the lease, and commit both at once."""
        from psycopg import sql

        data = lease.undo.data
        keys = orjson.loads(str(data.get("keys", "[]")))
        with self._changing(f"lease {lease.id} could not be stored") as connection:
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA)))
            connection.execute(
                sql.SQL(
                    "create table if not exists {}.leases (id text primary key, run text, fault text, undo text, "
                    "deadline timestamptz)"
                ).format(sql.Identifier(SCHEMA))
            )
            connection.execute(
                sql.SQL("create table {} as select * from {} where {}::text = any(%s)").format(
                    _kept(lease.id), _table(str(data["table"])), sql.Identifier(str(data["key"]))
                ),
                (keys,),
            )
            connection.execute(
                sql.SQL("insert into {}.leases values (%s, %s, %s, %s, now() + %s * interval '1 second')").format(
                    sql.Identifier(SCHEMA)
                ),
                (lease.id, lease.run, lease.fault, lease.undo.model_dump_json(), lease.ttl_s),
            )

    def renew(self, lease_id: str, ttl_s: float) -> None:
        """Move the deadline; ``LeaseError`` where it has passed."""
        from psycopg import sql

        with self._changing(f"lease {lease_id} could not be renewed") as connection:
            done = connection.execute(
                sql.SQL(
                    "update {}.leases set deadline = now() + %s * interval '1 second' "
                    "where id = %s and deadline > now()"
                ).format(sql.Identifier(SCHEMA)),
                (ttl_s, lease_id),
            )
            if done.rowcount != 1:
                raise LeaseError(f"lease {lease_id} is over: it cannot be renewed")

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Put the kept rows back, take the added ones away, and forget the lease; any number of times."""
        from psycopg import sql

        with self._changing(f"lease {lease_id} could not be undone") as connection:
            if not self._there(connection, lease_id):
                return
            stored = connection.execute(
                sql.SQL("select undo from {}.leases where id = %s").format(sql.Identifier(SCHEMA)), (lease_id,)
            ).fetchone()
            data = Undo.model_validate_json(stored[0]).data if stored else (undo.data if undo else {})
            table, key = _table(str(data["table"])), sql.Identifier(str(data["key"]))
            touched = orjson.loads(str(data["keys"])) + orjson.loads(str(data.get("added", "[]")))
            columns = sql.SQL(", ").join(map(sql.Identifier, _columns(connection, str(data["table"]))))
            connection.execute(sql.SQL("delete from {} where {}::text = any(%s)").format(table, key), (touched,))
            connection.execute(
                sql.SQL("insert into {} ({}) overriding system value select {} from {}").format(
                    table, columns, columns, _kept(lease_id)
                )
            )
            connection.execute(sql.SQL("drop table {}").format(_kept(lease_id)))
            connection.execute(
                sql.SQL("delete from {}.leases where id = %s").format(sql.Identifier(SCHEMA)), (lease_id,)
            )
        self._tidy()

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        with self._changing("the leases could not be looked at") as connection:
            return [f"rows kept for {lease_id} are still there"] if self._there(connection, lease_id) else []

    def leases(self) -> list[LeaseState]:
        """Every lease that this database holds."""
        from psycopg import sql

        with self._changing("the leases could not be listed") as connection:
            if connection.execute("select to_regclass(%s)", (f"{SCHEMA}.leases",)).fetchone()[0] is None:
                return []
            rows = connection.execute(
                sql.SQL("select id, run, fault, extract(epoch from deadline - now()) from {}.leases").format(
                    sql.Identifier(SCHEMA)
                )
            ).fetchall()
        return [LeaseState(id=row[0], run=row[1], fault=row[2], remaining_s=float(row[3])) for row in rows]

    def _there(self, connection: Any, lease_id: str) -> bool:
        found = connection.execute("select to_regclass(%s)", (f'{SCHEMA}."{lease_id}"',)).fetchone()
        return bool(found[0] is not None)

    def _tidy(self) -> None:
        """Take the schema away with its last lease."""
        from psycopg import sql

        with self._changing("the lease tables could not be removed") as connection:
            named = sql.Identifier(SCHEMA)
            if connection.execute("select to_regclass(%s)", (f"{SCHEMA}.leases",)).fetchone()[0] is None:
                return
            connection.execute(sql.SQL("lock table {}.leases").format(named))
            if not connection.execute(sql.SQL("select count(*) from {}.leases").format(named)).fetchone()[0]:
                connection.execute(sql.SQL("drop table {}.leases").format(named))
                connection.execute(sql.SQL("drop schema {}").format(named))

    @contextmanager
    def _changing(self, words: str) -> Iterator[Any]:
        import psycopg

        try:
            with self._sql.connect(autocommit=False) as connection:
                yield connection
        except psycopg.Error as error:
            raise LeaseError(f"{words}: {' '.join(str(error).split())[:200]}") from None


def _table(name: str) -> Any:
    from psycopg import sql

    return sql.Identifier(*name.split("."))


def _kept(lease_id: str) -> Any:
    from psycopg import sql

    return sql.Identifier(SCHEMA, lease_id)


def _columns(connection: Any, table: str) -> list[str]:
    """The columns that may be written: generated ones follow from them."""
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
        "and attgenerated = '' order by attnum",
        (table,),
    ).fetchall()
    return [row[0] for row in rows]
