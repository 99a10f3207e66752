"""An accident in the workload's own table, and what a recovery to the moment before it owes."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from chaosday.clients.tables import told
from chaosday.model.base import Model
from chaosday.model.history import FAILED, OK, STATUSES, UNKNOWN, History
from chaosday.model.sql import Sql
from chaosday.workloads.ledger import Ledger

STATEMENTS = {
    "delete": "delete from {table}",
    "update": "update {table} set value = 0, checksum = 0",
    "truncate": "truncate table {table}",
    "drop": "drop table {table}",
}
ANSWER_S = 60.0


class Accident(Model):
    """Somebody forgets the ``where``, while clients write on: in a table of chaosday's own, and in no other."""

    statement: Literal["delete", "update", "truncate", "drop"] = "delete"
    """Every row deleted, or overwritten; the table emptied, or gone."""
    at_s: float = Field(default=1, ge=0, le=86_400)
    """Seconds after the backup has ended."""
    recover_to: Literal["before", "latest"] = "before"
    """The moment before the statement, or everything that there is, which brings the accident back."""


@dataclass(frozen=True)
class Moment:
    """A moment of the server's that lies between two readings of our clock (ns, monotonic).

    ``name`` is what recovery is told: everything acknowledged by ``before_ns`` lies before it, and everything begun
    after ``after_ns`` behind it.
    """

    name: str
    before_ns: int
    after_ns: int


def happen(accident: Accident, sql: Sql, ledger: Ledger, ask: str) -> Moment:
    """Read the moment by the query ``ask``, then do it."""
    statement = STATEMENTS[accident.statement].format(table=sql.dialect.table(ledger.table))
    with closing(sql.open(answer_s=ANSWER_S)) as connection, told(sql):
        before_ns = time.monotonic_ns()
        name = str(connection.execute(ask).fetchone()[0])
        after_ns = time.monotonic_ns()
        connection.execute(statement)
    return Moment(name, before_ns, after_ns)


def as_of_moment(history: History, moment: Moment) -> History:
    """The history as a recovery to the moment promises it: nothing that began after it may be there."""
    status = history.statuses().copy()
    status[(status == OK) & (history.ends_ns() > moment.before_ns)] = UNKNOWN
    status[history.integers("start_ns") > moment.after_ns] = FAILED
    return history.with_column("status", [STATUSES[code] for code in status])


def until(history: History, moment: Moment) -> History:
    """The part of it that had ended by the moment."""
    return history.where(history.ends_ns() <= moment.before_ns)
