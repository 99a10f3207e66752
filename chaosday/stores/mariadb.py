"""MariaDB and MySQL as a Store, through PyMySQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaosday.clients.answering import answering
from chaosday.model.store import Options, Session
from chaosday.stores.sql import Dialect, SqlSession

# Deadlock, lock wait time-out, record changed since the snapshot, Galera not ready, duplicate key, read-only,
# no such table: https://mariadb.com/kb/en/mariadb-error-code-reference/. Each rolls the transaction back, or we do.
DEFINITE = (1213, 1205, 1020, 1047, 1062, 1290, 1146, 1040)


def dialect() -> Dialect:
    """MariaDB's words."""
    import pymysql

    return Dialect(
        make=(
            "create table if not exists {table} (k bigint primary key, v longtext not null) engine=innodb",
            "create table if not exists {table}_set (v bigint primary key) engine=innodb",
        ),
        upsert="insert into {table} values (%s, %s) on duplicate key update v = values(v)",
        append="insert into {table} values (%s, concat(%s, ',')) on duplicate key update v = concat(v, values(v))",
        begin=("set transaction isolation level {level}", "start transaction"),
        level="repeatable read",
        definite=lambda error: bool(error.args) and error.args[0] in DEFINITE,
        absent=lambda error: error.args[:1] == (1146,),
        errors=(pymysql.Error, OSError),
    )


class MariaDBStore:
    """Tables in the target's own database. Options: ``isolation``; ``port``, of another node;
    ``settings``, as in ``SET SESSION``."""

    def __init__(self, connect: Callable[[float, int | None], Any], where: str) -> None:
        self._connect, self._where = connect, where

    def make(self, space: str, options: Options) -> None:
        """The tables; ``TargetUnreachable`` where they cannot be made."""
        connection = self._connect(5, None)
        with answering(self._where, *dialect().errors), connection.cursor() as cursor:
            for statement in dialect().make:
                cursor.execute(statement.format(table=space))
        connection.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A connection in autocommit mode; transactions are begun by their own statements."""
        connection = self._connect(timeout_s, options.get("port"))
        settings = [each for each in str(options.get("settings", "")).split(",") if "=" in each]
        with answering(self._where, *dialect().errors), connection.cursor() as cursor:
            for each in settings:
                name, value = each.split("=", 1)
                cursor.execute(f"set session {name} = %s" if name.isidentifier() else "", (_number(value),))
        return SqlSession(connection, dialect(), space, options)

    def drop(self, space: str) -> None:
        """The tables."""
        connection = self._connect(5, None)
        with answering(self._where, *dialect().errors), connection.cursor() as cursor:
            cursor.execute(f"drop table if exists {space}, {space}_set")
        connection.close()


def _number(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text
