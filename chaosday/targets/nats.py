"""A NATS server with JetStream."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.processes.limits.sockets import BoundedSocket
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.nats import NatsStore

LONGEST_BYTES = 1 << 20


class Nats(Target):
    """A server, by the address at which it takes clients, without TLS and without accounts."""

    kind: Literal["nats"] = "nats"
    host: str = "127.0.0.1"
    port: int = Field(default=4222, ge=1, le=65535)

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: NatsStore(f"nats://{self.host}:{self.port}")}

    def reach(self) -> str:
        """Read what it says of itself to everybody who connects."""
        try:
            with socket.create_connection((self.host, self.port), 5) as connection:
                lines = BoundedSocket.around(connection, 5).makefile("rb")
                said = json.loads(lines.readline(LONGEST_BYTES).removeprefix(b"INFO "))
                jetstream, version = said.get("jetstream"), said["version"]
        except (OSError, *GARBLED) as error:
            raise TargetUnreachable(f"NATS at {self.host}:{self.port} does not answer: {error}") from None
        if not jetstream:
            raise TargetUnreachable(f"NATS at {self.host}:{self.port} has no JetStream")
        return f"NATS {version}, at {self.host}:{self.port}"
