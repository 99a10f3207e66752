"""A member of an etcd cluster."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, SecretStr

from chaosday.clients.answering import answering
from chaosday.errors import TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Route, Target
from chaosday.model.tls import Tls, known_by, tls_trouble
from chaosday.model.variable import Variable
from chaosday.processes.limits.sockets import CutConnection, Cutter, CutTlsConnection
from chaosday.stores.etcd import LONGEST_BYTES, EtcdStore, Login


class Etcd(Target):
    """One member, by the address at which it takes clients. With ``user`` the password comes from ``password``, else
    from ``password_env``."""

    kind: Literal["etcd"] = "etcd"
    host: str = "127.0.0.1"
    port: int = Field(default=2379, ge=1, le=65535)
    user: str = ""
    password: SecretStr | None = None
    password_env: Variable = "ETCD_PASSWORD"
    tls: Tls | None = Field(default=None, description="How it is reached over TLS; nothing: without")
    via: str = ""
    """Name of a proxy_route target to connect through, instead of directly."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: EtcdStore(self.host, self.port, self._login)}

    def _login(self) -> Login:
        secret = self.password.get_secret_value() if self.password else os.environ.get(self.password_env, "")
        return Login(self.tls, self.user, secret)

    def through(self, route: Target) -> Self:
        """The same member, reached by way of a route."""
        host, port = route.capability(Route).address()
        return self.model_copy(update={"host": host, "port": port, "via": "", "tls": known_by(self.tls, self.host)})

    def connection(self, cutter: Cutter, timeout_s: float) -> http.client.HTTPConnection:
        """A connection that is opened when it is used, and that the cutter may end."""
        if self.tls is None:
            return CutConnection(self.host, self.port, timeout=timeout_s, cutter=cutter)
        return CutTlsConnection(self.host, self.port, timeout=timeout_s, cutter=cutter, context=self.tls.context())

    def reach(self) -> str:
        """Ask it for its version and health; a member that knows no leader is not healthy."""
        said: dict[str, Any] = {}
        where = f"etcd at {self.host}:{self.port}"
        with Cutter(5) as cutter, answering(where, OSError, http.client.HTTPException):
            connection = self.connection(cutter, 5)
            try:
                for path in ("/version", "/health"):
                    connection.request("GET", path)
                    said |= json.loads(connection.getresponse().read(LONGEST_BYTES))
            except (OSError, http.client.HTTPException) as error:
                if why := tls_trouble(error, self.tls):
                    raise TargetUnreachable(f"{where} does not answer: {why}") from None
                raise
            finally:
                connection.close()
        if said.get("health") != "true":
            raise TargetUnreachable(f"etcd at {self.host}:{self.port} says that it is not healthy")
        return f"etcd {said.get('etcdserver', 'of no version')}, at {self.host}:{self.port}"
