"""Bank: transfers between accounts whose total never changes, whatever else happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from chaosday.clients.clients import Client, ClientSettings, run_clients
from chaosday.clients.tables import can_follow, drop_table, make_table, read_everywhere
from chaosday.model.sql import Dialect, Sql, SqlConnection
from chaosday.model.store import NoEffect
from chaosday.model.target import Target
from chaosday.model.workload import Stop, Workload

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
    isolation: str = Field(default="", pattern=r"^[a-z -]*$", description="Of transfers; empty is the database's own")

    @property
    def table(self) -> str:
        """Its name, which the dialect completes."""
        return f"bank_{self.scope}"

    def prepare(self, target: Target) -> None:
        sql = target.capability(Sql)
        can_follow(sql, self.replicas, self.kind)
        # Nobody's balance is set twice, whoever prepares it twice.
        opened = sql.dialect.insert_new("{table}", "account", "balance")
        columns = "account bigint primary key, balance bigint not null"
        make_table(sql, self.table, columns, *((opened, (n, self.opening_balance)) for n in range(self.accounts)))

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        settings = ClientSettings(self.clients, self.rate_per_s, self.operation_timeout_s, seed, self.first_process)
        sql = target.capability(Sql)
        run_clients(sql, directory, stop, settings, lambda client: self._step_for(client, sql.dialect))

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        table = target.capability(Sql).dialect.table(self.table)
        query = f"select account, balance from {table}"
        return read_everywhere(query, ROWS, self.store, target, replicas)

    def facts(self) -> dict[str, Any]:
        return {"bank": {"total": self.accounts * self.opening_balance, "accounts": self.accounts}}

    def clean_up(self, target: Target) -> None:
        drop_table(target.capability(Sql), self.table)

    def _step_for(self, client: Client, dialect: Dialect) -> Callable[[Client], None]:
        table, mark = dialect.table(self.table), dialect.mark
        take = f"update {table} set balance = balance - {mark} where account = {mark} and balance >= {mark}"
        give = f"update {table} set balance = balance + {mark} where account = {mark}"
        look = f"select account, balance from {table} order by account"

        def transfer(client: Client) -> None:
            # In order of account, so that two transfers cannot wait for each other.
            source, sink = (int(n) for n in client.rng.choice(self.accounts, 2, replace=False))
            amount = int(client.rng.integers(1, self.largest_transfer + 1))

            def act(connection: SqlConnection) -> None:
                with connection.transaction(self.isolation):
                    statements = [(take, (amount, source, amount), source), (give, (amount, sink), sink)]
                    for statement, arguments, account in sorted(statements, key=lambda each: each[2]):
                        if connection.execute(statement, arguments).rowcount != 1:
                            raise NoEffect(f"account {account} holds less than {amount}")

            client.attempt("transfer", act, key=source, value={"to": sink, "amount": amount})

        def read(client: Client) -> None:
            def act(connection: SqlConnection) -> dict[str, int]:
                return {str(account): balance for account, balance in connection.execute(look).fetchall()}

            client.attempt("read", act)

        def step(client: Client) -> None:
            (read if client.rng.random() < self.read_share else transfer)(client)

        return step
