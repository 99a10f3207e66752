"""Whether what we write beside a user's data would be sent to others by logical replication."""

from __future__ import annotations

from typing import Any

from chaosday.errors import Refused

PUBLISHED = (
    "select string_agg(p.pubname, ', ' order by p.pubname) from pg_publication p where p.puballtables and exists"
    " (select from pg_replication_slots s where s.slot_type = 'logical' and s.database = current_database())"
)
"""The publications of all tables in a PostgreSQL database that somebody subscribes to."""


def refuse_published(connection: Any, asked: str = PUBLISHED) -> None:
    """``Refused`` where a table of ours would be in somebody's stream.

    A subscriber that lacks the table stops at its first row, and does not go on when the table is gone again: the row
    stays in the stream (PostgreSQL's manual, "Logical Replication", "Conflicts").
    """
    named = connection.execute(asked).fetchone()[0]
    if named:
        raise Refused(
            f"all tables of this database are published ({named}), ours too: a subscriber that lacks them would stop"
            " for ever. Name another database of this server, or publish tables or schemas by their names"
        )
