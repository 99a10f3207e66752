"""A member of an etcd cluster."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from chaosday.clients.answering import answering
from chaosday.errors import TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.processes.limits.sockets import CutConnection, Cutter
from chaosday.stores.etcd import LONGEST_BYTES, EtcdStore


class Etcd(Target):
    """One member, by the address at which it takes clients, without TLS and without accounts."""

    kind: Literal["etcd"] = "etcd"
    host: str = "127.0.0.1"
    port: int = Field(default=2379, ge=1, le=65535)

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: EtcdStore(self.host, self.port)}

    def reach(self) -> str:
        """Ask it for its version and health; a member that knows no leader is not healthy."""
        said: dict[str, Any] = {}
        with Cutter(5) as cutter, answering(f"etcd at {self.host}:{self.port}", OSError, http.client.HTTPException):
            connection = CutConnection(self.host, self.port, timeout=5, cutter=cutter)
            try:
                for path in ("/version", "/health"):
                    connection.request("GET", path)
                    said |= json.loads(connection.getresponse().read(LONGEST_BYTES))
            finally:
                connection.close()
        if said.get("health") != "true":
            raise TargetUnreachable(f"etcd at {self.host}:{self.port} says that it is not healthy")
        return f"etcd {said.get('etcdserver', 'of no version')}, at {self.host}:{self.port}"
