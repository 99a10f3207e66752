"""Redis as a Store, through redis-py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaosday.clients.answering import answering
from chaosday.model.store import NoEffect, Options, Session, Unanswered


class RedisSession:
    """Registers are strings, a set is a set. Option ``wait_replicas``: acknowledged by so many (``WAIT``)."""

    def __init__(self, client: Any, space: str, timeout_s: float, options: Options) -> None:
        self._client, self._space = client, space
        self._wait = int(options.get("wait_replicas", 0))
        self._timeout_ms = int(timeout_s * 1000 * 0.8)

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``add``, ``read`` and ``write``. A write that too few replicas have is not acknowledged, and may stay."""
        import redis

        try:
            if f == "add":
                self._client.sadd(f"{self._space}:set", value)
            elif f == "write":
                self._client.set(f"{self._space}:{key}", value)
            elif key is None:
                return sorted(int(each) for each in self._client.smembers(f"{self._space}:set"))
            else:
                found = self._client.get(f"{self._space}:{key}")
                return None if found is None else int(found)
            if self._wait and (had := self._client.wait(self._wait, self._timeout_ms)) < self._wait:
                raise Unanswered(f"{had} of {self._wait} replicas have it")
        except redis.exceptions.ResponseError as error:
            raise NoEffect(str(error)) from None
        except (redis.exceptions.RedisError, OSError) as error:
            raise Unanswered(str(error)) from None
        return None

    def close(self) -> None:
        self._client.close()


class RedisStore:
    """Keys that begin with the space's name."""

    def __init__(self, connect: Callable[[float, int | None], Any], where: str) -> None:
        self._connect, self._where = connect, where

    def make(self, space: str, options: Options) -> None:
        """Nothing is needed; only that it answers."""
        self._connect(5, None).close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One connection; option ``port`` names another server."""
        return RedisSession(self._connect(timeout_s, options.get("port")), space, timeout_s, options)

    def drop(self, space: str) -> None:
        """Every key of the space."""
        import redis

        client = self._connect(5, None)
        with answering(self._where, redis.exceptions.RedisError, OSError):
            for key in client.scan_iter(match=f"{space}:*", count=1000):
                client.delete(key)
        client.close()
