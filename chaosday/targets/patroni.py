"""A PostgreSQL cluster that Patroni keeps available."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from chaosday.model.failover import Failover
from chaosday.model.target import Target
from chaosday.model.tls import Tls
from chaosday.model.variable import Variable
from chaosday.stores.patroni import PatroniCluster

Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]


class Patroni(Target):
    """The REST interfaces of its members (``host:port``); any one that answers will do. With ``user`` the password
    comes from ``password``, else from ``password_env``."""

    kind: Literal["patroni"] = "patroni"
    members: list[Address] = Field(default=["127.0.0.1:8008"], min_length=1, max_length=100)
    scheme: Literal["http", "https"] = "http"
    user: str = ""
    password: SecretStr | None = None
    password_env: Variable = "PATRONI_RESTAPI_PASSWORD"
    tls: Tls | None = Field(default=None, description="How https is spoken; nothing: with whom this machine trusts")

    @model_validator(mode="after")
    def _spoken(self) -> Self:
        if self.tls is not None and self.scheme != "https":
            raise ValueError("tls: is for https; say 'scheme: https'")
        return self

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Failover."""
        return {Failover: self._cluster()}

    def reach(self) -> str:
        """Ask for its members, and say who leads."""
        return self._cluster().reach()

    def fences(self, affected: Sequence[str]) -> list[str]:
        return [f"patroni {sorted(self.members)}"]

    def _cluster(self) -> PatroniCluster:
        secret = self.password.get_secret_value() if self.password else os.environ.get(self.password_env, "")
        return PatroniCluster(self.members, self.user, secret if self.user else "", self.scheme, self.tls)
