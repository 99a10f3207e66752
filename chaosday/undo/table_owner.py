"""Changing a user's table with no more rights than its owner has: what a table runs by itself is its owner's code.

A trigger, a rule, a default or a generated column runs with the rights of whoever changes the table. chaosday's account
may be a superuser, and the owner of the table must not become one by way of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chaosday.errors import AccessDenied, Refused, UsageError
from chaosday.undo.firing import Firing, firing

_OF_TABLE = """
    select c.oid, n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner),
        pg_get_userbyid(c.relowner) = current_user
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = pg_catalog.to_regclass(%s)
"""


@dataclass(frozen=True)
class UserTable:
    """A table of somebody's: its full name, and who owns it; ``ours`` where that is the account we connect as."""

    oid: int
    schema: str
    name: str
    owner: str
    ours: bool

    @property
    def identifier(self) -> Any:
        """The name, fit for a statement."""
        from psycopg import sql

        return sql.Identifier(self.schema, self.name)


def user_table(connection: Any, name: str) -> UserTable:
    """The table of that name; ``UsageError`` where there is none, ``Refused`` where it is a view or the like."""
    found = connection.execute(_OF_TABLE, (name,)).fetchone()
    if found is None:
        raise UsageError(f"there is no table {name}")
    if found[3] not in ("r", "p"):
        raise Refused(f"{name} is not a table: what a view or a foreign table runs would run with our rights")
    return UserTable(found[0], found[1], found[2], found[4], found[5])


@contextmanager
def as_owner(connection: Any, table: UserTable, *, readable: tuple[str, str] | None = None) -> Iterator[None]:
    """Within the block, a transaction, statements are the owner's, and no trigger or rule of the table runs.

    ``readable`` is a table of ours (schema and name) that the owner has to see for it.
    """
    from psycopg import sql

    with connection.transaction():
        if readable is not None and not table.ours:
            owner, schema = sql.Identifier(table.owner), sql.Identifier(readable[0])
            connection.execute(sql.SQL("grant usage on schema {} to {}").format(schema, owner))
            connection.execute(sql.SQL("grant select on {} to {}").format(sql.Identifier(*readable), owner))
        if not table.ours:
            _become(connection, table)
        # Born since the plan was made: an undo that sets them off would do more than put rows back.
        off = firing(connection, table.oid, ("insert", "update", "delete"))
        _turn(connection, off, {"O": "disable", "A": "disable"})
        yield
        if off:
            # What a deferred constraint still has to check keeps a table from being altered.
            connection.execute("set constraints all immediate")
            _turn(connection, off, {"O": "enable", "A": "enable always"})
        if not table.ours:
            connection.execute("reset role")


def _become(connection: Any, table: UserTable) -> None:
    import psycopg
    from psycopg import sql

    try:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(table.owner)))
    except psycopg.errors.InsufficientPrivilege:
        raise AccessDenied(
            f"{table.name} is changed as its owner {table.owner}, and our account may not become that: "
            f"grant {table.owner} to it, or connect as {table.owner}"
        ) from None


def _turn(connection: Any, these: list[Firing], how: dict[str, str]) -> None:
    from psycopg import sql

    for each in these:
        # The table is a regclass as text: quoted by the server.
        words = (sql.SQL(each.table), sql.SQL(how[each.enabled]), sql.SQL(each.what), sql.Identifier(each.name))
        connection.execute(sql.SQL("alter table {} {} {} {}").format(*words))
