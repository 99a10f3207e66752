"""A Redis server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from chaosday.clients.answering import answering
from chaosday.errors import AccessDenied, CapabilityMissing, TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Replica, Route, Target
from chaosday.processes.limits.sockets import BoundedSocket
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.redis import RedisStore


class Redis(Target):
    """A server. The password comes from ``password``, else from ``password_env``."""

    kind: Literal["redis"] = "redis"
    host: str = "127.0.0.1"
    port: int = Field(default=6379, ge=1, le=65535)
    password: SecretStr | None = None
    password_env: str = "REDISCLI_AUTH"
    sentinels: list[str] = []
    """Addresses (``host:port``) of Sentinels; they are asked, at each connection, where the primary is."""
    service: str = "mymaster"
    """What the Sentinels call it."""
    via: str = ""
    """Name of a proxy_route target to connect through, instead of directly."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store and Replica."""
        return {Store: RedisStore(self.connect, f"Redis at {self.host}:{self.port}"), Replica: self}

    def promote(self) -> None:
        """``REPLICAOF NO ONE``."""
        client = self.connect(5)
        import redis

        with answering(f"Redis at {self.host}:{self.port}", redis.exceptions.RedisError, OSError):
            client.replicaof("NO", "ONE")
        client.close()

    def through(self, route: Target) -> Redis:
        """The same server, reached by way of a route."""
        host, port = route.capability(Route).address()
        return self.model_copy(update={"host": host, "port": port, "via": ""})

    def reach(self) -> str:
        """Ask it for its version and role."""
        client = self.connect(5)
        import redis

        where = "{host}:{port}".format_map(client.connection_pool.connection_kwargs)
        try:
            with answering(f"Redis at {where}", redis.exceptions.RedisError, OSError):
                said = client.info()
        finally:
            client.close()
        return f"Redis {said['redis_version']}, {said['role']}, at {where}"

    def connect(self, timeout_s: float, port: int | None = None) -> Any:
        """A client with one connection, which is open; errors are ours, in one line, without secrets."""
        try:
            import redis
        except ImportError:
            raise CapabilityMissing("Redis needs redis-py: pip install 'chaosday[databases]'") from None
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        secret = self.password.get_secret_value() if self.password else os.environ.get(self.password_env) or None
        host, found = self._primary(timeout_s) if self.sentinels else (self.host, self.port)
        pool = redis.ConnectionPool(
            _bounded(timeout_s), host=host, port=port or found, password=secret, socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        client = redis.Redis.from_pool(pool)
        try:
            client.ping()
        except redis.exceptions.AuthenticationError:
            raise AccessDenied(f"Redis at {self.host}:{self.port} refuses us") from None
        except (redis.exceptions.RedisError, OSError, *GARBLED) as error:
            client.close()
            raise TargetUnreachable(
                f"Redis at {self.host}:{self.port} does not answer: {type(error).__name__}"
            ) from None
        return client

    def _primary(self, timeout_s: float) -> tuple[str, int]:
        """Where the Sentinels say that it is now."""
        import redis
        from redis import sentinel

        addresses = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in self.sentinels)]
        asked: Any = sentinel.Sentinel(  # type: ignore[no-untyped-call]
            addresses, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        try:
            host, port = asked.discover_master(self.service)
        except (redis.exceptions.RedisError, OSError, *GARBLED) as error:
            raise TargetUnreachable(f"the Sentinels know no primary of {self.service}: {error}") from None
        finally:
            for each in asked.sentinels:
                each.close()
        return str(host), int(port)


def _bounded(timeout_s: float) -> Any:
    """The library's connection, whose answers end: its own time-out is for each piece of one."""
    import redis

    class Bounded(redis.Connection):
        def _connect(self) -> Any:
            return BoundedSocket.around(super()._connect(), timeout_s)  # type: ignore[no-untyped-call]

    return Bounded
