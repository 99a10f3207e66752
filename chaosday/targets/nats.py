"""A NATS server with JetStream."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, SecretStr

from chaosday.errors import TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Route, Target
from chaosday.model.tls import Tls, known_by
from chaosday.model.variable import Variable
from chaosday.processes.limits.sockets import BoundedSocket
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.nats import NatsSession, NatsStore, without_tls

LONGEST_BYTES = 1 << 20


class Nats(Target):
    """A server, by the address at which it takes clients. With ``user`` the password comes from ``password``, else from
    ``password_env``; a token is a password without a user."""

    kind: Literal["nats"] = "nats"
    host: str = "127.0.0.1"
    port: int = Field(default=4222, ge=1, le=65535)
    user: str = ""
    password: SecretStr | None = None
    password_env: Variable = "NATS_PASSWORD"
    tls: Tls | None = Field(default=None, description="How it is reached over TLS; nothing: without")
    via: str = ""
    """Name of a proxy_route target to connect through, instead of directly."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: NatsStore(f"nats://{self.host}:{self.port}", self.how)}

    def how(self) -> dict[str, Any]:
        """Account and TLS, in the library's words."""
        secret = self.password.get_secret_value() if self.password else os.environ.get(self.password_env) or None
        how: dict[str, Any] = {}
        if self.user:
            how |= {"user": self.user, "password": secret or ""}
        elif secret:
            how["token"] = secret
        if self.tls is not None:
            how |= {"tls": self.tls.context(), "tls_hostname": self.tls.server_name or self.host}
        return how

    def through(self, route: Target) -> Self:
        """The same server, reached by way of a route."""
        host, port = route.capability(Route).address()
        return self.model_copy(update={"host": host, "port": port, "via": "", "tls": known_by(self.tls, self.host)})

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
        if said.get("tls_required") and self.tls is None:
            raise TargetUnreachable(f"NATS at {self.host}:{self.port} takes nobody without TLS: set tls")
        if self.tls is not None and not said.get("tls_required"):
            raise without_tls(f"nats://{self.host}:{self.port}")
        if self.how() or said.get("auth_required"):
            # What it says to everybody does not show whether it lets us in.
            NatsSession(f"nats://{self.host}:{self.port}", "reach", 5, self.how).close()
        return f"NATS {version}, at {self.host}:{self.port}"
