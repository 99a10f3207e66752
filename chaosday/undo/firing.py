"""Triggers and rules that run when somebody writes a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Event = Literal["insert", "update", "delete"]
# https://www.postgresql.org/docs/18/catalog-pg-trigger.html (tgtype, as in the server's pg_trigger.h),
# https://www.postgresql.org/docs/18/catalog-pg-rewrite.html (ev_type).
_TRIGGER_BITS: dict[Event, int] = {"insert": 4, "delete": 8, "update": 16}
_RULE_TYPES: dict[Event, str] = {"update": "2", "insert": "3", "delete": "4"}
# The table and what inherits from it: the start of a query that asks about all of them.
PARTS = """
    with recursive part(oid) as (
        values (%(table)s::oid)
        union select i.inhrelid from pg_catalog.pg_inherits i join part on i.inhparent = part.oid
    )
"""
_FIRING = """
    select t.tgrelid::regclass::text, t.tgname, 'trigger', t.tgenabled
    from pg_catalog.pg_trigger t join part on part.oid = t.tgrelid
    where not t.tgisinternal and t.tgenabled in ('O', 'A') and (t.tgtype & %(bits)s) <> 0
    union all
    select r.ev_class::regclass::text, r.rulename, 'rule', r.ev_enabled
    from pg_catalog.pg_rewrite r join part on part.oid = r.ev_class
    where r.ev_enabled in ('O', 'A') and r.ev_type::text = any(%(types)s)
    order by 1, 2
"""


@dataclass(frozen=True)
class Firing:
    """A trigger or rule that would run: ``table`` is quoted by the server, ``enabled`` as in the catalogue (O or A)."""

    table: str
    name: str
    what: str
    enabled: str


def firing(connection: Any, oid: int, events: tuple[Event, ...]) -> list[Firing]:
    """Those of the table ``oid`` and of its parts that one of the events sets off in a session of ours."""
    asked = {
        "table": oid,
        "bits": sum(_TRIGGER_BITS[event] for event in events),
        "types": [_RULE_TYPES[event] for event in events],
    }
    return [Firing(*row) for row in connection.execute(PARTS + _FIRING, asked).fetchall()]
