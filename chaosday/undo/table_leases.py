"""Leases for rows in a database: pre-images and the lease kept in tables beside them; a database has no timer.

Everything is in the schema ``chaosday_kept``: a table of pre-images for each lease, named after it, and the
tables ``leases`` and ``written``. Pre-images and lease are committed together before the first row is touched. Ending
a fault puts back in one transaction what it changed (``table_rows``), and forgets the lease if that is verified.
Nobody calls this at the deadline, so a fault that relies on it asks for ``accept_weak_lease``.

Whoever may create a schema could have made one of that name: it has to be our account's. A lease without the worker's
MAC is not run, and a user's table is changed as its owner (``table_owner``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from chaosday.clients.published import refuse_published
from chaosday.errors import LeaseError, Refused
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.model.target import Postgres
from chaosday.record.signing import is_ours, lease_mac, not_ours
from chaosday.undo.table_owner import user_table
from chaosday.undo.table_rows import SCHEMA, keep, kept_table, put_back

ANSWER_S = 60.0
"""A silent server must not keep other faults from being undone."""


class TableLeases:
    """The lease holder of a PostgreSQL database. The undo's data names ``table``, ``key``, ``keys`` (JSON) and
    ``column`` (empty where rows are deleted)."""

    def __init__(self, sql: Postgres) -> None:
        self._sql = sql

    def arm(self, lease: Lease) -> None:
        """Keep every row that will be hurt, then the lease, and commit both at once."""
        from psycopg import sql

        data = lease.undo.data
        keys = orjson.loads(str(data.get("keys", "[]")))
        with self._changing(f"lease {lease.id} could not be stored") as connection:
            refuse_published(connection)
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA)))
            _is_ours(connection)
            connection.execute(
                sql.SQL(
                    "create table if not exists {}.leases (id text primary key, run text, fault text, undo text, "
                    "deadline timestamptz, mac text)"
                ).format(sql.Identifier(SCHEMA))
            )
            keep(connection, lease.id, user_table(connection, str(data["table"])), str(data["key"]), keys)
            undo = lease.undo.model_dump_json()
            connection.execute(
                sql.SQL("insert into {}.leases values (%s, %s, %s, %s, now() + %s * interval '1 second', %s)").format(
                    sql.Identifier(SCHEMA)
                ),
                (lease.id, lease.run, lease.fault, undo, lease.ttl_s, lease_mac(SCHEMA, lease.id, undo.encode())),
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
        """Put back what the fault changed, and forget the lease; any number of times."""
        from psycopg import sql

        with self._changing(f"lease {lease_id} could not be undone") as connection:
            if not self._there(connection, lease_id):
                return
            trusted = self._trusted(connection, lease_id, undo).data
            table = user_table(connection, str(trusted["table"]))
            put_back(connection, lease_id, table, str(trusted["key"]), str(trusted.get("column", "")))
            connection.execute(sql.SQL("drop table {}").format(kept_table(lease_id)))
            connection.execute(
                sql.SQL("delete from {}.written where id = %s").format(sql.Identifier(SCHEMA)), (lease_id,)
            )
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
            _is_ours(connection)
            if connection.execute("select to_regclass(%s)", (f"{SCHEMA}.leases",)).fetchone()[0] is None:
                return []
            rows = connection.execute(
                sql.SQL("select id, run, fault, extract(epoch from deadline - now()) from {}.leases").format(
                    sql.Identifier(SCHEMA)
                )
            ).fetchall()
        return [LeaseState(id=row[0], run=row[1], fault=row[2], remaining_s=float(row[3])) for row in rows]

    def _trusted(self, connection: Any, lease_id: str, undo: Undo | None) -> Undo:
        """The stored undo where we signed it, else what the caller knows by itself."""
        from psycopg import sql

        found = connection.execute(
            sql.SQL("select * from {}.leases where id = %s").format(sql.Identifier(SCHEMA)), (lease_id,)
        ).fetchone()
        text, given = (str(found[3]), str(found[5]) if len(found) > 5 else "") if found else ("", "")
        if found and is_ours(given, SCHEMA, lease_id, text.encode()):
            return Undo.model_validate_json(text)
        if undo is None:
            raise not_ours(lease_id)
        return undo

    def _there(self, connection: Any, lease_id: str) -> bool:
        _is_ours(connection)
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
                connection.execute(sql.SQL("drop table {}.leases, {}.written").format(named, named))
                connection.execute(sql.SQL("drop schema {}").format(named))

    @contextmanager
    def _changing(self, words: str) -> Iterator[Any]:
        import psycopg

        try:
            with self._sql.connect(autocommit=False, answer_s=ANSWER_S) as connection:
                yield connection
        except psycopg.Error as error:
            raise LeaseError(f"{words}: {' '.join(str(error).split())[:200]}") from None


def _is_ours(connection: Any) -> None:
    """``Refused`` where the schema of leases is there and is not our account's."""
    found = connection.execute(
        "select pg_get_userbyid(nspowner), current_user, pg_get_userbyid(nspowner) = current_user "
        "from pg_namespace where nspname = %s",
        (SCHEMA,),
    ).fetchone()
    if found is not None and not found[2]:
        raise Refused(f"schema {SCHEMA} belongs to {found[0]} and we are {found[1]}: nothing in it is believed")
