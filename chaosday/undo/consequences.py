"""What a table does by itself when its rows change: triggers, rules, what foreign keys and publications carry on.

An undo that writes rows puts back those rows and nothing else. A child that ``ON DELETE CASCADE`` deleted, a row that a
trigger wrote elsewhere, stay as the fault left them: such a table is refused before it is touched. So is one whose
changes are sent to subscribers, at whom nobody pointed (logical replication), and so is a column in a
unique index: rows go back while others, whose values are damaged too or were written meanwhile, may have their values.
"""

from __future__ import annotations

from typing import Any

from chaosday.undo.firing import PARTS, Event, firing
from chaosday.undo.table_owner import UserTable

# 'a' is no action, 'r' restrict: the server refuses then. Cascade, set null and set default change the other table.
_CARRIED = """
    select c.conname, c.conrelid::regclass::text from pg_catalog.pg_constraint c join part on part.oid = c.confrelid
    where c.contype = 'f' and (
        (%(delete)s and c.confdeltype not in ('a', 'r'))
        or (c.confupdtype not in ('a', 'r') and exists (
            select from pg_catalog.pg_attribute a
            where a.attrelid = c.confrelid and a.attnum = any(c.confkey) and a.attname = %(column)s))
    )
    order by 1, 2
"""
# What a condition or an expression of the index is made of is in pg_depend; a generated column may be made of any.
_UNIQUE = """
    select c.relname, i.indrelid::regclass::text from pg_catalog.pg_index i join part on part.oid = i.indrelid
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    where (i.indisunique or i.indisexclusion) and (
        exists (
            select from pg_catalog.pg_attribute a where a.attrelid = i.indrelid and a.attnum = any(i.indkey)
            and (a.attname = %(column)s or a.attgenerated <> ''))
        or exists (
            select from pg_catalog.pg_depend d join pg_catalog.pg_attribute a
            on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid
            and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid > 0
            and (a.attname = %(column)s or a.attgenerated <> '')))
    order by 1, 2
"""
# A view lists the root of a partitioned table or its leaves, as its publication says.
_SENT = """
    select distinct p.pubname from pg_catalog.pg_publication_tables p
    join pg_catalog.pg_namespace n on n.nspname = p.schemaname
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
    join part on part.oid = c.oid or c.oid in (select relid from pg_catalog.pg_partition_ancestors(part.oid))
    where exists (
        select from pg_catalog.pg_replication_slots s
        where s.slot_type = 'logical' and s.database = current_database())
    order by 1
"""
_REFERRING = """
    , referring(oid) as (
        select c.conrelid from pg_catalog.pg_constraint c join part on part.oid = c.confrelid where c.contype = 'f'
        union
        select c.conrelid from pg_catalog.pg_constraint c join referring r on c.confrelid = r.oid where c.contype = 'f'
    )
    select n.nspname, k.relname from referring r
    join pg_catalog.pg_class k on k.oid = r.oid join pg_catalog.pg_namespace n on n.oid = k.relnamespace
    where r.oid not in (select oid from part)
    order by 1, 2
"""


def consequences(connection: Any, table: UserTable, column: str) -> list[str]:
    """What changing ``column`` (empty: deleting rows) would do beyond it, in words; empty where nothing."""
    events: tuple[Event, ...] = ("update",) if column else ("delete", "insert")
    found = [f"{each.what} {each.name} on {each.table}" for each in firing(connection, table.oid, events)]
    asked = {"table": table.oid, "delete": not column, "column": column}
    carried = connection.execute(PARTS + _CARRIED, asked).fetchall()
    found += [f"foreign key {name} of {other} carries it on" for name, other in carried]
    found += [f"publication {name} sends it on" for (name,) in connection.execute(PARTS + _SENT, asked).fetchall()]
    unique = connection.execute(PARTS + _UNIQUE, asked).fetchall() if column else []
    return found + [
        f"a unique index, {name} on {other}, may have its value taken by another row" for name, other in unique
    ]


def referring_tables(connection: Any, table: UserTable) -> list[tuple[str, str]]:
    """Schema and name of every table that refers to this one, directly or by way of another."""
    return list(connection.execute(PARTS + _REFERRING, {"table": table.oid}).fetchall())
