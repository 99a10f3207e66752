"""After a failover: the old primary comes back as a standby of the new one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.action import Action
from chaosday.model.target import Postgres, ServerFiles, Target
from chaosday.servers.postgres import node_of, rewind

REWIND_S = 3600.0
"""pg_rewind reads all of a data directory, of whatever size."""


class PostgresRejoin(Action):
    """``pg_rewind`` the target's data directory against ``source``, start it as a standby, wait until it streams.

    For a server on this machine whose ``data_directory`` and ``bin_directory`` are given.
    """

    kind: Literal["postgresql.rejoin"] = "postgresql.rejoin"
    source: str = ""
    """Name of the postgresql target that is primary now."""
    timeout_s: float = Field(default=30, gt=0)

    def limit_s(self) -> float:
        return REWIND_S + super().limit_s()

    def act(self, targets: Mapping[str, Target]) -> str:
        old, new = targets[self.target], targets.get(self.source)
        if new is None:
            raise CapabilityMissing(f"rejoin: no target is called {self.source!r}")
        started = time.monotonic()
        rewind(
            node_of(self.target, old.capability(ServerFiles)),
            node_of(self.source, new.capability(ServerFiles)),
        )
        with new.capability(Postgres).connect() as connection:
            streaming = "select count(*) from pg_stat_replication where state = 'streaming'"
            while not connection.execute(streaming).fetchone()[0]:
                if time.monotonic() - started > self.timeout_s:
                    raise TargetUnreachable(f"{self.target} did not stream within {self.timeout_s:g} s")
                time.sleep(0.05)
        return f"{self.target} rejoined as a standby in {time.monotonic() - started:.1f} s"
