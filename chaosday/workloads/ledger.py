"""Ledger: inserts and updates that can each be accounted for afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from chaosday.clients.clients import Client, ClientSettings, run_clients
from chaosday.clients.ledger import ROWS_SCHEMA, checksum, row_id
from chaosday.clients.sql import execute_all, read_everywhere
from chaosday.model.store import NoEffect
from chaosday.model.target import Sql, Target
from chaosday.model.workload import Stop, Workload

SCHEMA = "chaosday"
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
    store: str = "survivor"
    """Under which name the rows are read back into the evidence."""

    @property
    def table(self) -> str:
        return f"{SCHEMA}.ledger_{self.scope}"

    def prepare(self, target: Target) -> None:
        with target.capability(Sql).connect() as connection:
            execute_all(
                connection,
                f"create schema if not exists {SCHEMA}",
                f"""create table if not exists {self.table} (
                    id bigint primary key, version int not null, value bigint not null,
                    checksum bigint not null, position bigserial not null)""",
            )

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        settings = ClientSettings(self.clients, self.rate_per_s, self.operation_timeout_s, seed)
        run_clients(target.capability(Sql), directory, stop, settings, self._step_for)

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        query = f"select id, version, value, checksum, position from {self.table}"
        return read_everywhere(query, ROWS_SCHEMA, self.store, target, replicas)

    def clean_up(self, target: Target) -> None:
        with target.capability(Sql).connect() as connection:
            execute_all(connection, f"drop table if exists {self.table}")

    def _step_for(self, client: Client) -> Callable[[Client], None]:
        insert = f"insert into {self.table} (id, version, value, checksum) values (%s, %s, %s, %s)"
        update = f"update {self.table} set version = %s, value = %s, checksum = %s where id = %s and version = %s"
        mine: list[tuple[int, int]] = []
        sequence = 0

        def add(client: Client) -> None:
            nonlocal sequence
            sequence += 1
            key, value = row_id(client.process, sequence), int(client.rng.integers(1 << 40))

            def act(connection: Any) -> int:
                connection.execute(insert, (key, 1, value, checksum(key, 1, value)))
                return 1

            if client.attempt("insert", act, key=key, value=value, attempted=1):
                mine.append((key, 1))

        def change(client: Client) -> None:
            place = len(mine) - 1 - int(client.rng.integers(min(len(mine), UPDATE_WINDOW)))
            key, version = mine[place]
            value = int(client.rng.integers(1 << 40))

            def act(connection: Any) -> int:
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
