"""Ledger: inserts and updates that can each be accounted for afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import Field

from chaosday.clients.clients import Client, ClientSettings, run_clients
from chaosday.clients.ledger import ROWS_SCHEMA, checksum, row_id
from chaosday.clients.tables import can_follow, drop_table, make_table, read_everywhere
from chaosday.model.sql import Dialect, Sql, SqlConnection
from chaosday.model.store import NoEffect
from chaosday.model.target import Target
from chaosday.model.workload import Stop, Workload

# How many of its newest acknowledged rows a client picks from when it updates.
UPDATE_WINDOW = 512


class Ledger(Workload):
    """Each client inserts rows of its own and updates some of them; an identity is never used twice.

    A row carries its writer and sequence (in ``id``), a version, a value, a checksum over the three,
    and the position that the database gave it. After an operation of unknown outcome its row is
    never touched again, so that every later reading has one explanation.
    """

    kind: Literal["ledger"] = "ledger"
    update_share: float = Field(default=0.25, ge=0, le=0.9)
    """Share of operations that update an earlier row instead of inserting one."""
    operation_timeout_s: float = Field(default=5, gt=0)
    first_process: int = Field(default=0, ge=0, description="Number of its first client, where others wrote before")
    store: str = "survivor"
    """Under which name the rows are read back into the evidence."""

    @property
    def table(self) -> str:
        """Its name, which the dialect completes."""
        return f"ledger_{self.scope}"

    def prepare(self, target: Target) -> None:
        sql = target.capability(Sql)
        can_follow(sql, self.replicas, self.kind)
        # Where the position is the primary key, as in SQLite, it is the only one.
        identity = "bigint not null unique" if "primary key" in sql.dialect.position else "bigint primary key"
        columns = f"id {identity}, version int not null, value bigint not null, checksum bigint not null, position "
        make_table(sql, self.table, columns + "{position}")

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        settings = ClientSettings(self.clients, self.rate_per_s, self.operation_timeout_s, seed, self.first_process)
        sql = target.capability(Sql)
        run_clients(sql, directory, stop, settings, lambda client: self._step_for(client, sql.dialect))

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        table = target.capability(Sql).dialect.table(self.table)
        query = f"select id, version, value, checksum, position from {table}"
        return read_everywhere(query, ROWS_SCHEMA, self.store, target, replicas)

    def clean_up(self, target: Target) -> None:
        drop_table(target.capability(Sql), self.table)

    def _step_for(self, client: Client, dialect: Dialect) -> Callable[[Client], None]:
        table, mark = dialect.table(self.table), dialect.mark
        insert = f"insert into {table} (id, version, value, checksum) values ({dialect.marks(4)})"
        update = (
            f"update {table} set version = {mark}, value = {mark}, checksum = {mark} "
            f"where id = {mark} and version = {mark}"
        )
        mine: list[tuple[int, int]] = []
        sequence = 0

        def add(client: Client) -> None:
            nonlocal sequence
            sequence += 1
            key, value = row_id(client.process, sequence), int(client.rng.integers(1 << 40))

            def act(connection: SqlConnection) -> int:
                connection.execute(insert, (key, 1, value, checksum(key, 1, value)))
                return 1

            if client.attempt("insert", act, key=key, value=value, attempted=1):
                mine.append((key, 1))

        def change(client: Client) -> None:
            place = len(mine) - 1 - int(client.rng.integers(min(len(mine), UPDATE_WINDOW)))
            key, version = mine[place]
            value = int(client.rng.integers(1 << 40))

            def act(connection: SqlConnection) -> int:
                done = connection.execute(update, (version + 1, value, checksum(key, version + 1, value), key, version))
                if done.rowcount != 1:
                    raise NoEffect(f"no row {key} at version {version}")
                return version + 1

            if client.attempt("update", act, key=key, value=value, attempted=version + 1):
                mine[place] = (key, version + 1)
            else:
                mine[place] = mine[-1]
                mine.pop()

        def step(client: Client) -> None:
            (change if mine and client.rng.random() < self.update_share else add)(client)

        return step
