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
from chaosday.model.tls import Tls, known_by, tls_trouble
from chaosday.model.variable import Variable
from chaosday.processes.limits.sockets import BoundedSocket, bounded_tls
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.redis import RedisStore


class Redis(Target):
    """A server. The password comes from ``password``, else from ``password_env``; ``user`` is one of its ACL's."""

    kind: Literal["redis"] = "redis"
    host: str = "127.0.0.1"
    port: int = Field(default=6379, ge=1, le=65535)
    user: str = Field(default="", description="A user of its access control list; empty is the default one")
    password: SecretStr | None = None
    password_env: Variable = "REDISCLI_AUTH"
    tls: Tls | None = Field(default=None, description="How it is reached over TLS; nothing: without")
    unix_socket: str = Field(default="", description="Path of its socket on this machine, in place of host and port")
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
        tls = known_by(self.tls, self.host)
        return self.model_copy(update={"host": host, "port": port, "via": "", "tls": tls, "unix_socket": ""})

    def reach(self) -> str:
        """Ask it for its version and role."""
        client = self.connect(5)
        import redis

        where = self.unix_socket or "{host}:{port}".format_map(client.connection_pool.connection_kwargs)
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
        way = {"path": self.unix_socket} if self.unix_socket else {"host": host, "port": port or found}
        pool = redis.ConnectionPool(
            _bounded(timeout_s, self.tls, bool(self.unix_socket)), **way, username=self.user or None, password=secret,
            socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        client = redis.Redis.from_pool(pool)
        try:
            client.ping()
        except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError):
            client.close()
            raise AccessDenied(
                f"Redis at {self.host}:{self.port} refuses us: set user, and password or {self.password_env}"
            ) from None
        except (redis.exceptions.RedisError, OSError, *GARBLED) as error:
            client.close()
            why = tls_trouble(error, self.tls) or type(error).__name__
            raise TargetUnreachable(f"Redis at {self.host}:{self.port} does not answer: {why}") from None
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


def _bounded(timeout_s: float, tls: Tls | None, local: bool) -> Any:
    """The library's connection, whose answers end: its own time-out is for each piece of one."""
    import redis

    kind: Any = redis.UnixDomainSocketConnection if local else redis.Connection
    context = tls.context(bounded_tls(timeout_s)) if tls else None

    class Bounded(kind):  # type: ignore[misc]
        def _connect(self) -> Any:
            connected = super()._connect()
            if context is not None and not local:
                return context.wrap_socket(connected, server_hostname=self.host)
            return BoundedSocket.around(connected, timeout_s)

    return Bounded
