"""A Redis server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from chaosday.errors import AccessDenied, CapabilityMissing, TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Replica, Route, Target
from chaosday.stores.redis import RedisStore


class Redis(Target):
    """A server. The password comes from ``password``, else from ``password_env``."""

    kind: Literal["redis"] = "redis"
    host: str = "127.0.0.1"
    port: int = Field(default=6379, ge=1, le=65535)
    password: SecretStr | None = None
    password_env: str = "REDISCLI_AUTH"
    via: str = ""
    """Name of a proxy_route target to connect through, instead of directly."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store and Replica."""
        return {Store: RedisStore(self.connect), Replica: self}

    def promote(self) -> None:
        """``REPLICAOF NO ONE``."""
        client = self.connect(5)
        client.replicaof("NO", "ONE")
        client.close()

    def through(self, route: Target) -> Redis:
        """The same server, reached by way of a route."""
        host, port = route.capability(Route).address()
        return self.model_copy(update={"host": host, "port": port, "via": ""})

    def reach(self) -> str:
        """Ask it for its version and role."""
        client = self.connect(5)
        try:
            said = client.info()
            return f"Redis {said['redis_version']}, {said['role']}, at {self.host}:{self.port}"
        finally:
            client.close()

    def connect(self, timeout_s: float, port: int | None = None) -> Any:
        """A client with one connection, which is open; errors are ours, in one line, without secrets."""
        try:
            import redis
        except ImportError:
            raise CapabilityMissing("Redis needs redis-py: pip install 'chaosday[databases]'") from None
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        secret = self.password.get_secret_value() if self.password else os.environ.get(self.password_env) or None
        client = redis.Redis(
            host=self.host, port=port or self.port, password=secret, socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s, single_connection_client=False, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        try:
            client.ping()
        except redis.exceptions.AuthenticationError:
            raise AccessDenied(f"Redis at {self.host}:{self.port} refuses us") from None
        except (redis.exceptions.RedisError, OSError) as error:
            client.close()
            raise TargetUnreachable(
                f"Redis at {self.host}:{self.port} does not answer: {type(error).__name__}"
            ) from None
        return client
