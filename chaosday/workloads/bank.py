"""Bank: transfers between accounts whose total never changes, whatever else happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from chaosday.clients.clients import Client, ClientSettings, run_clients
from chaosday.clients.sql import execute_all, read_everywhere
from chaosday.model.store import NoEffect
from chaosday.model.target import Sql, Target
from chaosday.model.workload import Stop, Workload

SCHEMA = "chaosday"
ROWS = pa.schema([("account", pa.int64()), ("balance", pa.int64())])


class Bank(Workload):
    """Clients move money between accounts in transactions and read all balances in one statement.

    Jepsen's bank test: every read must show the same total, and no balance may be negative.
    """

    kind: Literal["bank"] = "bank"
    clients: int = Field(default=1, ge=1, le=256)
    accounts: int = Field(default=16, ge=2, le=10_000)
    opening_balance: int = Field(default=1000, ge=1)
    largest_transfer: int = Field(default=20, ge=1)
    read_share: float = Field(default=0.3, ge=0, le=0.9)
    operation_timeout_s: float = Field(default=5, gt=0)
    first_process: int = Field(default=1000, ge=0)
    """Number of its first client: processes of different workloads must not share numbers."""
    store: str = "bank"

    @property
    def table(self) -> str:
        return f"{SCHEMA}.bank_{self.scope}"

    def prepare(self, target: Target) -> None:
        with target.capability(Sql).connect() as connection:
            execute_all(
                connection,
                f"create schema if not exists {SCHEMA}",
                f"create table if not exists {self.table} (account bigint primary key, balance bigint not null)",
                f"insert into {self.table} select account, {self.opening_balance} "
                f"from generate_series(0, {self.accounts - 1}) account on conflict do nothing",
            )

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        settings = ClientSettings(self.clients, self.rate_per_s, self.operation_timeout_s, seed, self.first_process)
        run_clients(target.capability(Sql), directory, stop, settings, self._step_for)

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        return read_everywhere(f"select account, balance from {self.table}", ROWS, self.store, target, replicas)

    def facts(self) -> dict[str, Any]:
        return {"bank": {"total": self.accounts * self.opening_balance, "accounts": self.accounts}}

    def clean_up(self, target: Target) -> None:
        with target.capability(Sql).connect() as connection:
            execute_all(connection, f"drop table if exists {self.table}")

    def _step_for(self, client: Client) -> Callable[[Client], None]:
        take = f"update {self.table} set balance = balance - %s where account = %s and balance >= %s"
        give = f"update {self.table} set balance = balance + %s where account = %s"
        look = f"select account, balance from {self.table} order by account"

        def transfer(client: Client) -> None:
            # In order of account, so that two transfers cannot wait for each other.
            source, sink = (int(n) for n in client.rng.choice(self.accounts, 2, replace=False))
            amount = int(client.rng.integers(1, self.largest_transfer + 1))

            def act(connection: Any) -> None:
                with connection.transaction():
                    statements = [(take, (amount, source, amount), source), (give, (amount, sink), sink)]
                    for statement, arguments, account in sorted(statements, key=lambda each: each[2]):
                        if connection.execute(statement, arguments).rowcount != 1:
                            raise NoEffect(f"account {account} holds less than {amount}")

            client.attempt("transfer", act, key=source, value={"to": sink, "amount": amount})

        def read(client: Client) -> None:
            def act(connection: Any) -> dict[str, int]:
                return {str(account): balance for account, balance in connection.execute(look).fetchall()}

            client.attempt("read", act)

        def step(client: Client) -> None:
            (read if client.rng.random() < self.read_share else transfer)(client)

        return step
