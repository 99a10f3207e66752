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
from chaosday.stores.nats import NatsStore


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
                said = json.loads(connection.makefile("rb").readline().removeprefix(b"INFO "))
        except (OSError, ValueError) as error:
            raise TargetUnreachable(f"NATS at {self.host}:{self.port} does not answer: {error}") from None
        if not said.get("jetstream"):
            raise TargetUnreachable(f"NATS at {self.host}:{self.port} has no JetStream")
        return f"NATS {said['version']}, at {self.host}:{self.port}"
