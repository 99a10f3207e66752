"""Failover: make a replica the primary and send the clients there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import UnknownName
from chaosday.model.action import Action
from chaosday.model.target import Replica, Route, Target


class RedisPromote(Action):
    """``REPLICAOF NO ONE`` on the target, then repoint ``route`` at it: what Sentinel does when it has decided."""

    kind: Literal["redis.promote"] = "redis.promote"
    route: str = ""
    """A proxy_route target whose clients are sent to the new primary."""
    new_host: str = "127.0.0.1"
    new_port: int = Field(default=6379, ge=1, le=65535)

    def act(self, targets: Mapping[str, Target]) -> str:
        targets[self.target].capability(Replica).promote()
        if not self.route:
            return f"{self.target} is a primary now"
        if self.route not in targets:
            raise UnknownName(f"promote: no target is called {self.route!r}, so there is no route to repoint")
        targets[self.route].capability(Route).repoint(self.new_host, self.new_port)
        return f"{self.target} is a primary now; {self.route} leads to it"
