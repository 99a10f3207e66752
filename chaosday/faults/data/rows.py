"""Rows that are wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import orjson
from pydantic import Field

from chaosday.errors import ChaosdayError, Refused, ScratchMarkMissing, UsageError
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.sql import Sql
from chaosday.model.target import Postgres, Target
from chaosday.undo.consequences import consequences, referring_tables
from chaosday.undo.row_damage import RowDamage
from chaosday.undo.table_owner import UserTable, as_owner, user_table
from chaosday.undo.table_rows import keep_again, note_written, still_written

SCRATCH = "chaosday-scratch"
ANSWER_S = 60.0
"""How long a statement is waited for: others may hold a lock, and faults before this one have to be undone as well."""
_NAME = r"^[A-Za-z_][A-Za-z0-9_$]*$"
Damage = Literal["delete", "null", "zero", "swap", "shift", "truncate", "trailing_space"]
# The new value of the column; %s in it is never a parameter.
_SETS: dict[str, str] = {
    "null": "null",
    "zero": "0",
    "shift": "{column} + 1",
    "truncate": "left({column}, greatest(length({column}) - 1, 0))",
    "trailing_space": "{column} || ' '",
}


class DataRows(Fault):
    """Deletes rows of a table that is marked as scratch, or damages one of their columns, and puts them back.

    The mark is the word ``chaosday-scratch`` in the table's comment, in SQLite the table's name in a table
    ``chaosday_scratch (name text)``. The rows as they were are kept in the
    database before the first is touched; a database has no timer, so that only rollback and recover put them
    back, which has to be accepted in so many words (``accept_weak_lease``). What others wrote into these rows
    meanwhile stays. A table is refused whose triggers, rules or foreign keys would carry the change further, and a
    column in a unique index, whose old value another row may have when it is to go back.
    """

    kind: Literal["data.rows"] = "data.rows"
    table: str = Field(default="public.scratch", pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$")
    key: str = Field(default="id", pattern=_NAME, description="Column that tells rows apart")
    column: str = Field(default="", pattern=r"^([A-Za-z_][\w$]*)?$", description="What is damaged, unless rows go")
    damage: Damage = "delete"
    """``shift`` adds one; ``swap`` gives rows each other's values, two by two."""
    count: int = Field(default=1, ge=1, le=10_000)
    """How many rows, chosen by the run's seed; for ``swap`` an even number."""
    accept_weak_lease: bool = False

    requires: ClassVar[tuple[type[Any], ...]] = (Sql, LeaseHolder)

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        if not self.accept_weak_lease:
            raise Refused(
                f"{self.kind}: a database has no timer, so that only rollback and chaosday recover end this fault; "
                "set accept_weak_lease: true to accept that"
            )
        if self.damage != "delete" and not self.column:
            raise UsageError(f"{self.kind}: say with 'column' what {self.damage} damages")
        if (elsewhere := self._elsewhere(target)) is not None:
            chosen, state = elsewhere.chosen(context.seed), elsewhere.state()
        else:
            with _asking(target) as connection:
                chosen = self._chosen(connection, context.seed)
                with as_owner(connection, user_table(connection, self.table)):
                    pass  # whether we may, asked before anything is touched
                state = self._digest(connection)
        named = {"table": self.table, "key": self.key, "column": self._damaged}
        undo = Undo(data={**named, "keys": orjson.dumps(chosen).decode()})
        return FaultPlan(
            lease=self.lease(context, undo),
            affected=[f"{self.table} {self.key}={key}" for key in chosen],
            snapshot=state,
            baseline=Reading(value=0, unit="rows that read otherwise", by="a second connection, against the kept rows"),
            mechanism="weak lease: only rollback and recover put the rows back",
            data={"keys": chosen},
        )

    def _elsewhere(self, target: Target) -> RowDamage | None:
        """The same in a database that is no PostgreSQL, whose owners, triggers and rules are asked about there."""
        if Postgres in target.capabilities():
            return None
        return RowDamage(target.capability(Sql), self.table, self.key, self._damaged, self.damage, self.count)

    @property
    def _damaged(self) -> str:
        """The column that is changed; empty where rows go."""
        return "" if self.damage == "delete" else self.column

    def inject(self, target: Target, plan: FaultPlan) -> None:
        if (elsewhere := self._elsewhere(target)) is not None:
            elsewhere.inject(plan.lease.id, plan.data["keys"])
            return
        with _asking(target) as connection, connection.transaction():
            table = user_table(connection, self.table)
            self._refuse_more(connection, table)
            keep_again(connection, plan.lease.id, table, self.key, plan.data["keys"])
            with as_owner(connection, table):
                connection.execute(*self._change(table, plan.data["keys"]))
            note_written(connection, plan.lease.id, table, self.key, self._damaged)

    def _change(self, table: UserTable, keys: list[str]) -> tuple[Any, tuple[list[str], ...]]:
        """The statement that does the damage, and its parameters."""
        from psycopg import sql

        names = {"t": table.identifier, "k": sql.Identifier(self.key), "c": sql.Identifier(self.column or self.key)}
        if self.damage == "delete":
            return sql.SQL("delete from {t} where {k}::text = any(%s)").format(**names), (keys,)
        if self.damage == "swap":
            ones, others = keys[::2], keys[1::2]
            statement = (
                "update {t} as a set {c} = b.{c} from {t} as b, unnest(%s::text[], %s::text[]) as pair(x, y) "
                "where a.{k}::text = pair.x and b.{k}::text = pair.y"
            )
            return sql.SQL(statement).format(**names), (ones + others, others + ones)
        change = sql.SQL(_SETS[self.damage]).format(column=names["c"])
        return sql.SQL("update {t} set {c} = {change} where {k}::text = any(%s)").format(change=change, **names), (
            keys,
        )

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        if (elsewhere := self._elsewhere(target)) is not None:
            changed = elsewhere.hurt(plan.lease.id)
        else:
            with _asking(target) as connection:
                table = user_table(connection, self.table)
                changed = still_written(connection, plan.lease.id, table, self.key, self._damaged)
        during = plan.baseline.model_copy(update={"value": float(changed)})
        why = f"{self.damage}: {changed} of {len(plan.data['keys'])} rows read as the fault left them"
        bit = changed > 0
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        if (elsewhere := self._elsewhere(target)) is not None:
            return elsewhere.state()
        with _asking(target) as connection:
            return self._digest(connection)

    def _chosen(self, connection: Any, seed: int) -> list[str]:
        from psycopg import sql

        found = connection.execute(
            "select to_regclass(%s), obj_description(to_regclass(%s), 'pg_class')", (self.table, self.table)
        ).fetchone()
        if found[0] is None:
            raise UsageError(f"{self.kind}: there is no table {self.table}")
        if SCRATCH not in (found[1] or ""):
            raise ScratchMarkMissing(
                f"{self.table} is not marked as scratch; if it is, say so with: comment on table {self.table} "
                f"is '{SCRATCH}'"
            )
        # No view, whose functions would run with our rights.
        self._refuse_more(connection, user_table(connection, self.table))
        keys = [
            row[0]
            for row in connection.execute(
                sql.SQL("select {k}::text from {t} where {k} is not null order by {k}").format(
                    k=sql.Identifier(self.key), t=user_table(connection, self.table).identifier
                )
            )
        ]
        wanted = self.count - self.count % 2 if self.damage == "swap" else self.count
        if len(keys) < max(wanted, 2 if self.damage == "swap" else 1) or len(set(keys)) < len(keys):
            raise Refused(f"{self.kind}: {self.table} has {len(keys)} rows with a {self.key} of their own; too few")
        return random.Random(seed).sample(keys, max(wanted, 2 if self.damage == "swap" else 1))

    def _refuse_more(self, connection: Any, table: UserTable) -> None:
        """Asked at plan and again at inject: a trigger may have been made since."""
        if self._damaged:
            self._refuse_column(connection, table)
        if more := consequences(connection, table, self._damaged):
            raise Refused(
                f"{self.kind}: {self.damage} in {self.table} would do more than its undo can put back: "
                f"{'; '.join(more)}; choose a table without these"
            )

    def _refuse_column(self, connection: Any, table: UserTable) -> None:
        if self._damaged == self.key:
            raise UsageError(f"{self.kind}: the undo finds rows by {self.key}: damage another column")
        found = connection.execute(
            "select attgenerated, attidentity from pg_catalog.pg_attribute "
            "where attrelid = %s and attname = %s and attnum > 0 and not attisdropped",
            (table.oid, self._damaged),
        ).fetchone()
        if found is None:
            raise UsageError(f"{self.kind}: {self.table} has no column {self._damaged}")
        if found[0] or found[1] == "a":
            raise UsageError(f"{self.kind}: {self._damaged} is generated by the database: damage another column")

    def _digest(self, connection: Any) -> dict[str, Any]:
        """The table's rows, and those of every table that refers to it: a change may be carried there."""
        from psycopg import sql

        table = user_table(connection, self.table)
        own = sql.SQL("{}, t::text").format(sql.Identifier(self.key))
        state = _rows(connection, table.identifier, own)
        for name in referring_tables(connection, table):
            state[f"referring {'.'.join(name)}"] = _rows(connection, sql.Identifier(*name), sql.SQL("t::text"))
        return state


def _rows(connection: Any, table: Any, order: Any) -> dict[str, Any]:
    from psycopg import sql

    statement = sql.SQL("select count(*), md5(string_agg(t::text, E'\\n' order by {})) from {} as t")
    row = connection.execute(statement.format(order, table)).fetchone()
    return {"rows": row[0], "digest": row[1]}


@contextmanager
def _asking(target: Target) -> Iterator[Any]:
    """A connection whose waits end, and whose errors are ours, in one line."""
    import psycopg

    with target.capability(Postgres).connect(answer_s=ANSWER_S) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise ChaosdayError(f"the database says: {' '.join(str(error).split())[:200]}") from None
