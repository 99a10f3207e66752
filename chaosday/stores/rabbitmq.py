"""RabbitMQ as a Store, through pika."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from chaosday.clients.answering import answering
from chaosday.errors import ChaosdayError
from chaosday.model.store import NoEffect, Options, Session, Unanswered
from chaosday.processes.limits.within import GARBLED, in_a_line

PERSISTENT = 2
PREFETCH = 60_000
"""Below 65,536; half as many are taken out unacknowledged, so that a drain that is cut short can be done again."""
QUIET_S, PATIENCE_S = 1.0, 15.0
DRAIN_S = 1800.0
"""Whoever still sends then has more to say than any run has put in."""
RECONNECT_S = 0.2


class RabbitSession:
    """A durable queue and persistent messages. Options: ``confirm``, whether a message counts as sent only when the
    broker says that it has it; ``quorum``, whether the queue is one; ``resend_s``, for how long a message is sent again
    where no answer came."""

    def __init__(self, connect: Callable[[], Any], space: str, options: Options) -> None:
        self._connect, self._space = connect, space
        self._confirm, self._resend_s = options.get("confirm", True), float(options.get("resend_s", 0))
        self._open()

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``enqueue`` and ``drain``."""
        import pika

        try:
            if f == "enqueue":
                self._enqueue(str(value).encode())
                return None
            return self._drain()
        except (pika.exceptions.NackError, pika.exceptions.UnroutableError) as error:
            raise NoEffect(f"{type(error).__name__} {error}") from None
        except (pika.exceptions.AMQPError, OSError, *GARBLED) as error:
            raise Unanswered(in_a_line(error)) from None

    def close(self) -> None:
        import pika

        with contextlib.suppress(pika.exceptions.AMQPError, OSError):
            self._connection.close()

    def _open(self) -> None:
        self._connection = self._connect()
        self._channel = self._connection.channel()
        if self._confirm:
            self._channel.confirm_delivery()

    def _enqueue(self, body: bytes) -> None:
        """Publish it; again and again where that is asked for, over a new connection each time."""
        import pika

        properties = pika.BasicProperties(delivery_mode=PERSISTENT)
        until = time.monotonic() + self._resend_s
        while True:
            try:
                self._channel.basic_publish("", self._space, body, properties, mandatory=True)
            except (pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError, OSError):
                if time.monotonic() > until:
                    raise
                self._again(until)
            else:
                return

    def _again(self, until: float) -> None:
        """A new connection, as soon as there is one to be had."""
        self.close()
        while True:
            try:
                self._open()
            except ChaosdayError as error:
                if time.monotonic() > until:
                    raise Unanswered(str(error)) from None
                time.sleep(RECONNECT_S)
            else:
                return

    def _drain(self) -> list[int]:
        """Take out all there is: as many as there were, until the queue is empty and nothing more comes.

        A broker that is busy is quiet too, and what is on its way counts in no queue: none of it must count as lost.
        """
        found: list[int] = []
        last, asked_after = 0, -1
        began = heard = time.monotonic()
        waiting = self._waiting()
        self._channel.basic_qos(prefetch_count=PREFETCH)
        for method, _, body in self._channel.consume(self._space, inactivity_timeout=QUIET_S):
            if time.monotonic() - began > DRAIN_S:
                raise Unanswered(f"{len(found)} messages came in {DRAIN_S:g} s, and there was no end")
            if method is not None:
                found.append(int(body))
                last, heard = method.delivery_tag, time.monotonic()
                if len(found) % (PREFETCH // 2) == 0:
                    self._channel.basic_ack(last, multiple=True)
                continue
            if len(found) >= waiting and len(found) == asked_after:
                break
            # Its answer comes after everything that was sent before.
            left = self._waiting()
            asked_after = len(found) if not left else -1
            if time.monotonic() - heard > PATIENCE_S:
                raise Unanswered(f"{max(left, waiting - len(found))} messages are there and do not come")
        if last:
            self._channel.basic_ack(last, multiple=True)
        self._channel.cancel()
        return found

    def _waiting(self) -> int:
        """How many messages are in the queue, and not on their way to anybody."""
        return int(self._channel.queue_declare(self._space, passive=True).method.message_count)


class RabbitStore:
    """A queue named after the space."""

    def __init__(self, connect: Callable[[float], Any], where: str) -> None:
        self._connect, self._where = connect, where

    def make(self, space: str, options: Options) -> None:
        """The queue."""
        connection = self._connect(5)
        arguments = {"x-queue-type": "quorum" if options.get("quorum") else "classic"}
        with self._answering():
            connection.channel().queue_declare(space, durable=True, arguments=arguments)
            connection.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One connection and one channel."""
        with self._answering():
            return RabbitSession(partial(self._connect, timeout_s), space, options)

    def drop(self, space: str) -> None:
        """The queue and what is in it."""
        connection = self._connect(5)
        with self._answering():
            connection.channel().queue_delete(space)
            connection.close()

    def _answering(self) -> AbstractContextManager[None]:
        import pika

        return answering(self._where, pika.exceptions.AMQPError, OSError)
