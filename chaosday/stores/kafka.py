"""Kafka as a Store: sends to and polls of the partitions of one topic, through confluent-kafka."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from chaosday.errors import AccessDenied, ChaosdayError, TargetUnreachable, UsageError
from chaosday.model.store import NoEffect, Options, Session, Unanswered

PARTITIONS = 2
BATCH = 200
POLL_S = 0.2
_ADMIN_S = 20.0
_NEVER_SENT = ("_QUEUE_FULL", "MSG_SIZE_TOO_LARGE", "_UNKNOWN_PARTITION", "TOPIC_AUTHORIZATION_FAILED")
"""What is refused before anything goes to a broker, or by a broker that looks first and writes then."""
_DENIED = (
    "SASL_AUTHENTICATION_FAILED",
    "_AUTHENTICATION",
    "CLUSTER_AUTHORIZATION_FAILED",
    "TOPIC_AUTHORIZATION_FAILED",
)


def refused(where: str, error: Any, heard: Sequence[str] = ()) -> ChaosdayError:
    """The library's error as ours, with what it said about its connections meanwhile."""
    said = error.args[0]
    told = next((words for words in heard if "uthentication" in words or "SSL" in words or "ssl" in words), "")
    words = " ".join((told or str(said.str()))[:200].split())
    if said.name() in _DENIED or "uthentication" in told:
        return AccessDenied(f"{where} refuses the login: {words}")
    return TargetUnreachable(f"{where} does not answer: {words}")


class KafkaStore:
    """A topic named after the space. Options of ``make``: ``partitions``, ``replication``, and ``topic.NAME`` for each
    setting of the topic. Options of sessions: ``producer.NAME`` and ``consumer.NAME`` go to the library as they are
    (``producer.acks``, ``consumer.isolation.level``); ``transactional`` sends in transactions."""

    def __init__(self, settings: Callable[[], dict[str, Any]], where: str) -> None:
        self._settings, self._where = settings, where

    def make(self, space: str, options: Options) -> None:
        """The topic, led by the first broker; ``UsageError`` where there are fewer brokers than copies."""
        from confluent_kafka.cimpl import NewTopic

        admin = self._admin()
        there = self._asked(lambda: admin.list_topics(timeout=_ADMIN_S))
        if space in there.topics:
            return
        brokers = sorted(there.brokers)
        copies = int(options.get("replication", min(3, len(brokers))))
        if copies > len(brokers):
            raise UsageError(f"{self._where} has {len(brokers)} broker(s), too few for {copies} copies of a topic")
        settings = {name: str(value) for name, value in _of(options, "topic.").items()}
        count = int(options.get("partitions", PARTITIONS))
        topic = NewTopic(space, num_partitions=count, replica_assignment=[brokers[:copies]] * count, config=settings)
        self._asked(lambda: admin.create_topics([topic], operation_timeout=_ADMIN_S)[space].result(_ADMIN_S))
        self._wait(admin, space, there=True)

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One producer and one consumer."""
        return KafkaSession(self._settings(), self._where, space, timeout_s, options)

    def drop(self, space: str) -> None:
        """The topic and what is in it."""
        admin = self._admin()
        if space in self._asked(lambda: admin.list_topics(timeout=_ADMIN_S)).topics:
            self._asked(lambda: admin.delete_topics([space], operation_timeout=_ADMIN_S)[space].result(_ADMIN_S))
            self._wait(admin, space, there=False)

    def _admin(self) -> Any:
        from confluent_kafka.admin import AdminClient

        return AdminClient(self._settings())

    def _asked(self, act: Callable[[], Any]) -> Any:
        from confluent_kafka import KafkaException

        try:
            return act()
        except KafkaException as error:
            raise refused(self._where, error) from None
        except TimeoutError:
            raise TargetUnreachable(f"{self._where} does not answer in {_ADMIN_S:g} s") from None

    def _wait(self, admin: Any, space: str, *, there: bool) -> None:
        """A topic is made, and taken away, some moments after that was answered."""
        until = time.monotonic() + _ADMIN_S
        while (space in self._asked(lambda: admin.list_topics(timeout=_ADMIN_S)).topics) is not there:
            if time.monotonic() > until:
                raise TargetUnreachable(f"{self._where} did not {'make' if there else 'remove'} topic {space} in time")
            time.sleep(0.05)


class KafkaSession:
    """Jepsen's operations: ``send``, ``poll``, ``txn``, ``assign``, ``subscribe``, ``debug-topic-partitions``.

    Keys are partitions. The last one answers, for each key, whether all that was there has been polled: up to its end
    and not only to the first transaction that is still open, at which consumers of what is committed stop as well.
    """

    def __init__(self, settings: dict[str, Any], where: str, topic: str, timeout_s: float, options: Options) -> None:
        self._topic, self._timeout_s, self._where = topic, timeout_s, where
        self._transactional = bool(options.get("transactional", False))
        produces: dict[str, Any] = {
            "delivery.timeout.ms": int(timeout_s * 1000),
            "linger.ms": 0,
            "enable.idempotence": True,
        }
        if self._transactional:
            produces["transactional.id"] = f"{topic}-{options.get('transactional_id', id(self))}"
            produces["transaction.timeout.ms"] = max(int(timeout_s * 1000), 1000)
        consumes = {
            "group.id": f"{topic}-{options.get('group', 'group')}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
        self._settings = settings
        self._producer_of = {**settings, **produces, **_of(options, "producer.")}
        self._consumer_of = {**settings, **consumes, **_of(options, "consumer.")}
        self._producer: Any = None
        self._consumer: Any = None
        self._subscribed = False
        self._ended: dict[int, int] = {}
        """Partitions of which there was no more to be read, with the offset at which that was."""
        self._admin: Any = None

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """One of the operations above; the value is a list of micro-operations, or of keys."""
        from confluent_kafka import KafkaException

        acts = {"assign": self._assign, "subscribe": self._subscribe, "debug-topic-partitions": self._reached}
        act = acts.get(f) or (self._together if f in ("send", "poll", "txn") else None)
        if act is None:
            raise NoEffect(f"a log does no {f}")
        if not isinstance(value, list):
            raise NoEffect(f"{f} is asked with a list")
        try:
            return act(value)
        except KafkaException as error:
            raise Unanswered(str(error.args[0].str())) from None

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        producer, self._producer = self._producer, None
        self._admin = None
        if producer is not None:
            producer.purge()
        if consumer is not None:
            with contextlib.suppress(RuntimeError):
                consumer.close()

    def _sender(self) -> Any:
        if self._producer is None:
            from confluent_kafka import Producer

            self._producer = Producer(self._producer_of)
            if self._transactional:
                self._producer.init_transactions(self._timeout_s)
        return self._producer

    def _reader(self) -> Any:
        if self._consumer is None:
            from confluent_kafka import Consumer

            self._consumer = Consumer(self._consumer_of)
        return self._consumer

    def _assign(self, keys: list[int]) -> list[int]:
        """From the beginning the first time; afterwards it goes on where it was."""
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        if self._consumer is None:
            self._reader().assign([TopicPartition(self._topic, key, OFFSET_BEGINNING) for key in keys])
        return keys

    def _subscribe(self, keys: list[int]) -> list[int]:
        if not self._subscribed:
            self._reader().subscribe([self._topic])
            self._subscribed = True
        return keys

    def _reached(self, keys: list[int]) -> dict[str, bool]:
        read = [key for key in keys if key in self._ended]
        ends = self._ends(read) if read else {}
        return {str(key): key in ends and self._ended[key] >= ends[key] for key in keys}

    def _ends(self, keys: list[int]) -> dict[int, int]:
        """Where partitions end, whatever is committed of them; a consumer would say where it may read to."""
        from confluent_kafka import IsolationLevel, TopicPartition, admin

        library: Any = admin
        self._admin = self._admin or library.AdminClient(self._settings)
        asked = self._admin.list_offsets(
            {TopicPartition(self._topic, key): library.OffsetSpec.latest() for key in keys},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=self._timeout_s,
        )
        return {place.partition: said.result(self._timeout_s + 1).offset for place, said in asked.items()}

    def _together(self, mops: list[Any]) -> list[Any]:
        if not self._transactional or all(mop[0] == "poll" for mop in mops):
            return self._one_by_one(mops)
        return self._transaction(mops)

    def _one_by_one(self, mops: list[Any]) -> list[Any]:
        done: list[Any] = []
        for mop in mops:
            try:
                done.append(self._poll() if mop[0] == "poll" else self._send(mop))
            except NoEffect as error:
                if done:
                    raise Unanswered(f"a part of it was done: {error}") from None
                raise
        if self._subscribed and any(mop[0] == "poll" for mop in mops):
            self._commit_offsets()
        return done

    def _transaction(self, mops: list[Any]) -> list[Any]:
        from confluent_kafka import KafkaException

        producer = self._sender()
        producer.begin_transaction()
        try:
            done = [self._poll() if mop[0] == "poll" else self._send(mop) for mop in mops]
            if self._subscribed:
                reader = self._reader()
                producer.send_offsets_to_transaction(
                    reader.position(reader.assignment()), reader.consumer_group_metadata(), self._timeout_s
                )
        except (KafkaException, Unanswered, NoEffect) as error:
            # What was aborted has provably not happened; where that is not answered either, nobody knows.
            producer.abort_transaction(self._timeout_s)
            if any(mop[0] == "poll" for mop in mops):
                raise Unanswered(f"aborted, and the consumer is not where it was: {error}") from None
            raise NoEffect(f"aborted: {error}") from None
        producer.commit_transaction(self._timeout_s)
        return done

    def _commit_offsets(self) -> None:
        from confluent_kafka import KafkaError, KafkaException

        try:
            self._reader().commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._NO_OFFSET:
                raise

    def _send(self, mop: list[Any]) -> list[Any]:
        from confluent_kafka import KafkaException

        _, key, value = mop
        ends: list[Any] = []
        producer = self._sender()
        try:
            producer.produce(
                self._topic,
                str(value).encode(),
                partition=key,
                on_delivery=lambda error, said: ends.append((error, said)),
            )
        except (BufferError, KafkaException) as error:
            raise NoEffect(f"not sent: {error}") from None
        until = time.monotonic() + self._timeout_s + 1
        while not ends and time.monotonic() < until:
            producer.poll(0.1)
        if not ends:
            raise Unanswered("no answer to a send")
        refusal, said = ends[0]
        if refusal is not None:
            raise (NoEffect if refusal.name() in _NEVER_SENT else Unanswered)(str(refusal.str()))
        return ["send", key, [said.offset() if said.offset() >= 0 else None, value]]

    def _poll(self) -> list[Any]:
        from confluent_kafka import KafkaError

        found: dict[str, list[Any]] = {}
        refusal: Any = None
        first = self._reader().poll(POLL_S)
        rest = self._reader().consume(BATCH, 0.01) if first is not None else []
        for message in [first, *rest] if first is not None else []:
            error = message.error()
            if error is None:
                self._ended.pop(message.partition(), None)
                found.setdefault(str(message.partition()), []).append([message.offset(), _value(message.value())])
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended[message.partition()] = message.offset() or 0
            else:
                refusal = refusal or error
        if refusal is not None and (refusal.fatal() or not found):
            raise Unanswered(str(refusal.str()))
        return ["poll", found]


def _value(data: bytes | None) -> Any:
    text = (data or b"").decode(errors="replace")
    return int(text) if text.isdecimal() else text


def _of(options: Options, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in options.items() if name.startswith(prefix)}
