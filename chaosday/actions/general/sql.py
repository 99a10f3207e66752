"""A statement as an action: a setting, a vacuum, a bad migration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Literal

from pydantic import Field

from chaosday.clients.tables import ended_after, limited, told
from chaosday.model.action import GRACE_S, Reversible
from chaosday.model.sql import Sql
from chaosday.model.target import Target


class SqlAction(Reversible):
    """Runs ``statement`` on any SQL database and commits it; ``undo`` is run as the run ends."""

    kind: Literal["sql"] = "sql"
    statement: str = Field(default="select 1", min_length=1)
    undo: str = ""
    timeout_s: float = Field(default=30, gt=0, le=86_400)

    def commands(self) -> list[str]:
        return [each for each in (self.statement, self.undo) if each]

    def act(self, targets: Mapping[str, Target]) -> str:
        return self._execute(targets[self.target], self.statement)

    def take_back(self, targets: Mapping[str, Target]) -> str:
        return self._execute(targets[self.target], self.undo)

    def _execute(self, target: Target, statement: str) -> str:
        sql = target.capability(Sql)
        opened = sql.open(timeout_s=self.timeout_s, answer_s=self.timeout_s + GRACE_S)
        with closing(opened) as connection, told(sql):
            limited(connection, self.timeout_s)
            with ended_after(sql, connection, self.timeout_s):
                connection.execute(statement)
        return f"done: {' '.join(statement.split())[:100]}"
