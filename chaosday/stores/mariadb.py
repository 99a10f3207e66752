"""MariaDB and MySQL as a Store, through PyMySQL."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cache
from typing import Any

from chaosday.clients.answering import answering
from chaosday.model.sql import Dialect
from chaosday.model.store import Options, Session
from chaosday.stores.sql import SqlSession

# Deadlock, lock wait time-out, record changed since the snapshot, Galera not ready, duplicate key, read-only, no such
# table, too many connections; a value that does not fit or may not be null, a constraint (in either's number), a
# privilege, a database or column that is not there, a statement that is none:
# https://mariadb.com/kb/en/mariadb-error-code-reference/. Each rolls the statement back, and we the transaction.
# 1317 and 1969, a statement that was killed or took too long, are not among them: it may have been in its commit.
DEFINITE = (1213, 1205, 1020, 1047, 1062, 1290, 1146, 1040, 1048, 1264, 1366, 1406, 4025, 3819, 1044, 1045, 1142, 1143,
            1049, 1054, 1064, 1451, 1452, 1792, 1836)  # fmt: skip
DENIED = (1044, 1045, 1142, 1143, 1227, 1698)


@cache
def dialect() -> Dialect:
    """MariaDB's words, which MySQL takes too."""
    import pymysql

    return Dialect(
        name="MariaDB",
        errors=(pymysql.Error, OSError),
        definite=lambda error: _number(error) in DEFINITE,
        absent=lambda error: _number(error) == 1146,
        denied=lambda error: _number(error) in DENIED,
        code=lambda error: str(_number(error) or ""),
        cut=lambda connection: connection._sock.shutdown(socket.SHUT_RDWR),
        make=(
            "create table if not exists {table} (k bigint primary key, v longtext not null) engine=innodb",
            "create table if not exists {table}_set (v bigint primary key) engine=innodb",
        ),
        upsert="insert into {table} values (%s, %s) on duplicate key update v = values(v)",
        append="insert into {table} values (%s, concat(%s, ',')) on duplicate key update v = concat(v, values(v))",
        new="insert ignore into {table} ({columns}) values ({marks})",
        position="bigint not null auto_increment unique",
        begin=("start transaction",),
        isolated=("set transaction isolation level {level}", "start transaction"),
        read_only=("start transaction read only",),
        level="repeatable read",
        quote="`",
        # Without transactions, which a server may have as its default, nothing that is kept in a table can be trusted.
        stored=" engine=innodb",
        # A cut connection ends no statement; MySQL has no limit for those that write, and reads a comment.
        limits=(
            "set session lock_wait_timeout = {s}, innodb_lock_wait_timeout = {s} /*M! , max_statement_time = {s} */",
        ),
    )


def _number(error: Exception) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


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
                cursor.execute(f"set session {name} = %s" if name.isidentifier() else "", (_plain(value),))
        return SqlSession(connection, dialect(), space, options)

    def drop(self, space: str) -> None:
        """The tables."""
        connection = self._connect(5, None)
        with answering(self._where, *dialect().errors), connection.cursor() as cursor:
            cursor.execute(f"drop table if exists {space}, {space}_set")
        connection.close()


def _plain(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text
