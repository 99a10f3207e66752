"""Keeping rows of a table, and putting back of them what a fault changed and nobody has changed since.

An undo that deletes and inserts takes the children of ``ON DELETE CASCADE`` with it and loses what others wrote into
those rows meanwhile. So a column goes back by UPDATE, only where it still reads as the fault left it; a deleted row
goes back by INSERT, only where its key is still free. What the fault wrote is noted in the transaction that wrote it:
without that note nothing was injected, and nothing is put back.
"""

from __future__ import annotations

from typing import Any

from chaosday.errors import LeaseError
from chaosday.undo.table_owner import UserTable, as_owner

SCHEMA = "chaosday_kept"


def kept_table(lease_id: str) -> Any:
    """The name of the table of pre-images, fit for a statement."""
    from psycopg import sql

    return sql.Identifier(SCHEMA, lease_id)


def keep(connection: Any, lease_id: str, table: UserTable, key: str, keys: list[str]) -> None:
    """Copy the rows before they are hurt."""
    from psycopg import sql

    statement = sql.SQL("create table {} as select * from {} where {}::text = any(%s)")
    connection.execute(statement.format(kept_table(lease_id), table.identifier, sql.Identifier(key)), (keys,))
    connection.execute(
        sql.SQL("create table if not exists {}.written (id text, key text, value text)").format(sql.Identifier(SCHEMA))
    )


def keep_again(connection: Any, lease_id: str, table: UserTable, key: str, keys: list[str]) -> None:
    """Copy the rows as they are now, held until the transaction ends: what others wrote since ``keep`` is theirs.

    To be called in the transaction that hurts them, before it does.
    """
    from psycopg import sql

    names = {"kept": kept_table(lease_id), "table": table.identifier, "key": sql.Identifier(key)}
    with as_owner(connection, table):
        connection.execute(
            sql.SQL("select from {table} where {key}::text = any(%s) for update").format(**names), (keys,)
        )
    connection.execute(sql.SQL("delete from {kept}").format(**names))
    again = "insert into {kept} select * from {table} where {key}::text = any(%s)"
    connection.execute(sql.SQL(again).format(**names), (keys,))


def note_written(connection: Any, lease_id: str, table: UserTable, key: str, column: str) -> None:
    """Note which rows the fault has changed and what ``column`` (empty: the row is gone) reads in them now; to be
    called in the transaction that changed them."""
    from psycopg import sql

    names = {"schema": sql.Identifier(SCHEMA), "kept": kept_table(lease_id), "table": table.identifier}
    names |= {"key": sql.Identifier(key), "column": sql.Identifier(column or key)}
    differs = "t.{column}::text is distinct from k.{column}::text" if column else "t.{key} is null"
    statement = (
        "insert into {schema}.written select %s, k.{key}::text, t.{column}::text "
        "from {kept} k left join {table} t on t.{key} = k.{key} where " + differs
    )
    connection.execute(sql.SQL(statement).format(**names), (lease_id,))


def still_written(connection: Any, lease_id: str, table: UserTable, key: str, column: str) -> int:
    """How many rows read as the fault left them: what somebody has written over since is hurt no more."""
    from psycopg import sql

    names = {"schema": sql.Identifier(SCHEMA), "table": table.identifier, "key": sql.Identifier(key)}
    same = "t.{column}::text is not distinct from w.value and t.{key} is not null" if column else "t.{key} is null"
    asked = "select count(*) from {schema}.written w left join {table} t on t.{key}::text = w.key where w.id = %s and "
    statement = sql.SQL(asked + same).format(**names, column=sql.Identifier(column or key))
    return int(connection.execute(statement, (lease_id,)).fetchone()[0])


def put_back(connection: Any, lease_id: str, table: UserTable, key: str, column: str) -> None:
    """Undo what was noted, as the table's owner; ``LeaseError``, and nothing changed, where it is not so afterwards."""
    from psycopg import sql

    noted = connection.execute(
        sql.SQL("select key, value from {}.written where id = %s").format(sql.Identifier(SCHEMA)), (lease_id,)
    ).fetchall()
    if not noted:
        return
    asked = ([row[0] for row in noted], [row[1] for row in noted])
    columns = _columns(connection, table)
    names = {"table": table.identifier, "kept": kept_table(lease_id), "key": sql.Identifier(key)}
    names |= {"joined": sql.SQL(_JOINED).format(**names), "column": sql.Identifier(column or key)}
    names["columns"] = sql.SQL(", ").join(map(_doubled, columns))
    names["listed"] = sql.SQL(", ").join(_doubled("k", each) for each in columns)
    change, left = (_UPDATE, _STILL_WRITTEN) if column else (_INSERT, _STILL_GONE)
    with as_owner(connection, table, readable=(SCHEMA, lease_id)):
        connection.execute(sql.SQL(change).format(**names), asked)
    if not table.ours:
        hidden = sql.SQL("revoke usage on schema {} from {}")
        connection.execute(hidden.format(sql.Identifier(SCHEMA), sql.Identifier(table.owner)))
    if count := connection.execute(sql.SQL(left).format(**names), asked).fetchone()[0]:
        raise LeaseError(f"{count} rows of {table.schema}.{table.name} still read as the fault left them")


# The kept rows of which it is noted what the fault wrote.
_JOINED = "{kept} k join unnest(%s::text[], %s::text[]) as w(key, value) on k.{key}::text = w.key"
_UPDATE = """
    update {table} as t set {column} = k.{column} from {joined}
    where t.{key} = k.{key} and t.{column}::text is not distinct from w.value
"""
_STILL_WRITTEN = """
    select count(*) from {table} t, {joined}
    where t.{key} = k.{key} and t.{column}::text is not distinct from w.value
        and k.{column}::text is distinct from w.value
"""
_INSERT = """
    insert into {table} ({columns}) overriding system value
    select {listed} from {joined} where not exists (select from {table} as t where t.{key} = k.{key})
"""
_STILL_GONE = "select count(*) from {joined} where not exists (select from {table} as t where t.{key} = k.{key})"


def _doubled(*name: str) -> Any:
    """The name of somebody's column, fit for a statement with parameters: psycopg wants every other % doubled there.

    Names that a file gives us hold none.
    """
    from psycopg import sql

    return sql.SQL(sql.Identifier(*name).as_string(None).replace("%", "%%"))


def _columns(connection: Any, table: UserTable) -> list[str]:
    """The columns that may be written: generated ones follow from them."""
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped "
        "and attgenerated = '' order by attnum",
        (table.oid,),
    ).fetchall()
    return [row[0] for row in rows]
