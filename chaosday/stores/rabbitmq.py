"""RabbitMQ as a Store, through pika."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from chaosday.model.store import NoEffect, Options, Session, Unanswered

PERSISTENT = 2
PREFETCH = 2000
QUIET_S = 1.0


class RabbitSession:
    """A durable queue and persistent messages. Options: ``confirm``, whether a message counts as sent only when the
    broker says that it has it; ``quorum``, whether the queue is one."""

    def __init__(self, connection: Any, space: str, options: Options) -> None:
        self._connection, self._space = connection, space
        self._channel = connection.channel()
        if options.get("confirm", True):
            self._channel.confirm_delivery()

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``enqueue`` and ``drain``."""
        import pika

        try:
            if f == "enqueue":
                properties = pika.BasicProperties(delivery_mode=PERSISTENT)
                self._channel.basic_publish("", self._space, str(value).encode(), properties, mandatory=True)
                return None
            return self._drain()
        except (pika.exceptions.NackError, pika.exceptions.UnroutableError) as error:
            raise NoEffect(f"{type(error).__name__} {error}") from None
        except (pika.exceptions.AMQPError, OSError) as error:
            raise Unanswered(f"{type(error).__name__} {error}") from None

    def close(self) -> None:
        import pika

        with contextlib.suppress(pika.exceptions.AMQPError, OSError):
            self._connection.close()

    def _drain(self) -> list[int]:
        """Take out all there is, until nothing more comes."""
        found: list[int] = []
        last = 0
        self._channel.basic_qos(prefetch_count=PREFETCH)
        waiting = self._channel.queue_declare(self._space, passive=True).method.message_count
        for method, _, body in self._channel.consume(self._space, inactivity_timeout=QUIET_S):
            if method is not None:
                found.append(int(body))
                last = method.delivery_tag
                if len(found) % (PREFETCH // 2) == 0:
                    self._channel.basic_ack(last, multiple=True)
            if method is None or len(found) == waiting:
                break
        if last:
            self._channel.basic_ack(last, multiple=True)
        self._channel.cancel()
        return found


class RabbitStore:
    """A queue named after the space."""

    def __init__(self, connect: Callable[[float], Any]) -> None:
        self._connect = connect

    def make(self, space: str, options: Options) -> None:
        """The queue."""
        connection = self._connect(5)
        arguments = {"x-queue-type": "quorum" if options.get("quorum") else "classic"}
        connection.channel().queue_declare(space, durable=True, arguments=arguments)
        connection.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One connection and one channel."""
        return RabbitSession(self._connect(timeout_s), space, options)

    def drop(self, space: str) -> None:
        """The queue and what is in it."""
        connection = self._connect(5)
        connection.channel().queue_delete(space)
        connection.close()
