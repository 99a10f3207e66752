"""Failover: make a standby the primary and send the clients there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable, UnknownName
from chaosday.model.action import Action
from chaosday.model.target import Postgres, Route, Target


class PostgresPromote(Action):
    """``pg_promote`` on the target, wait until it takes writes, then repoint ``route`` at it."""

    kind: Literal["postgresql.promote"] = "postgresql.promote"
    route: str = ""
    """A proxy_route target whose clients are sent to the new primary; empty leaves the clients alone."""
    new_host: str = "127.0.0.1"
    """Where the route leads from then on."""
    new_port: int = Field(default=5432, ge=1, le=65535)
    timeout_s: float = Field(default=20, gt=0)

    def act(self, targets: Mapping[str, Target]) -> str:
        started = time.monotonic()
        with targets[self.target].capability(Postgres).connect() as connection:
            connection.execute("select pg_promote(false)")
            while connection.execute("select pg_is_in_recovery()").fetchone()[0]:
                if time.monotonic() - started > self.timeout_s:
                    raise TargetUnreachable(f"{self.target} was not promoted within {self.timeout_s:g} s")
                time.sleep(0.02)
        took_s = time.monotonic() - started
        if not self.route:
            return f"{self.target} promoted in {took_s:.1f} s"
        if self.route not in targets:
            raise UnknownName(f"promote: no target is called {self.route!r}, so there is no route to repoint")
        targets[self.route].capability(Route).repoint(self.new_host, self.new_port)
        return f"{self.target} promoted in {took_s:.1f} s; {self.route} now leads to it"
