"""Failover: make a replica the primary and send the clients there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import UnknownName, UsageError
from chaosday.model.action import Action
from chaosday.model.target import Route, Target
from chaosday.targets.redis import Redis


class RedisPromote(Action):
    """``REPLICAOF NO ONE`` on the target, then repoint ``route`` at it: what Sentinel does when it has decided."""

    kind: Literal["redis.promote"] = "redis.promote"
    route: str = ""
    """A proxy_route target whose clients are sent to the new primary."""
    new_host: str = "127.0.0.1"
    new_port: int = Field(default=6379, ge=1, le=65535)

    def act(self, targets: Mapping[str, Target]) -> str:
        replica = targets[self.target]
        if not isinstance(replica, Redis):
            raise UsageError(f"redis.promote: {self.target} is no Redis")
        client = replica.connect(5)
        client.replicaof("NO", "ONE")
        client.close()
        if not self.route:
            return f"{self.target} is a primary now"
        if self.route not in targets:
            raise UnknownName(f"promote: no target is called {self.route!r}, so there is no route to repoint")
        targets[self.route].capability(Route).repoint(self.new_host, self.new_port)
        return f"{self.target} is a primary now; {self.route} leads to it"
