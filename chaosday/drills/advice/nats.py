"""What decides whether NATS JetStream keeps what it acknowledged."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from chaosday.clients.answering import answering
from chaosday.drills.advice.rule import Rule, Settings, some_of
from chaosday.stores.nats import NatsSession
from chaosday.targets.nats import Nats

MANUAL = "NATS manual"
STREAMS = f"{MANUAL}, Streams: https://docs.nats.io/nats-concepts/jetstream/streams"
SYNC = f"{MANUAL}, JetStream configuration: https://docs.nats.io/running-a-nats-service/configuration"
ANSWER_S = 10.0


def read(target: Nats) -> Settings:
    """The streams of the account that asks; a client is told nothing of the server's own file."""
    from nats.errors import Error as NatsError

    session = NatsSession(f"nats://{target.host}:{target.port}", "advice", ANSWER_S, target.how)
    with (
        contextlib.closing(session),
        answering(f"NATS at {target.host}:{target.port}", NatsError, OSError, TimeoutError),
    ):
        streams = session.run(session.streams())
    values = {
        "memory": some_of(each.name for each in streams if str(each.storage) == "memory"),
        "no_ack": some_of(each.name for each in streams if each.no_ack),
        "alone": some_of(each.name for each in streams if (each.num_replicas or 1) < 2),
        "even": some_of(each.name for each in streams if (each.num_replicas or 1) in (2, 4)),
    }
    unread = {"sync_interval": "a client is not told; as installed it is two minutes: look for 'sync_interval: always'"}
    return Settings(values, unread)


def _where(name: str, words: str) -> Any:
    def loses(values: Mapping[str, str]) -> str:
        return f"{values[name]}: {words}" if values[name] else ""

    return loses


RULES = (
    Rule(
        "storage", ("memory",),
        _where("memory", "kept in memory alone, so that the end of its server is the end of what it acknowledged"),
        3, STREAMS, "crash",
    ),
    Rule(
        "no_ack", ("no_ack",),
        _where("no_ack", "takes messages without an answer: a publisher is not told which of them were kept"),
        3, STREAMS,
    ),
    Rule(
        "replicas", ("alone",),
        _where("alone", "one copy: when its server's disk is lost, so is all of it"), 2, STREAMS,
    ),
    Rule(
        "even replicas", ("even",),
        _where("even", "no more of its copies may fail than with one copy fewer, and there is one more that can"),
        1, STREAMS,
    ),
    Rule(
        "sync_interval", ("sync_interval",), lambda values: "" if values["sync_interval"] == "always" else (
            f"it syncs every {values['sync_interval']}: a power cut loses what it acknowledged since"
        ),
        3, SYNC, "power", "nats-power-cut",
    ),
)  # fmt: skip
