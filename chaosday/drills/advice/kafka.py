"""What decides whether Kafka keeps what it acknowledged; what a producer asks for (``acks``) no broker tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chaosday.drills.advice.rule import Rule, Settings, some_of
from chaosday.targets.kafka import Kafka

MANUAL = "Kafka documentation"
TOPICS = f"{MANUAL}, Topic configs: https://kafka.apache.org/documentation/#topicconfigs"
NEVER = str(2**63 - 1)
"""As installed: the operating system writes when it likes."""
_ASKED = ("min.insync.replicas", "unclean.leader.election.enable", "flush.messages", "flush.ms")
INTERNAL = "__"


def read(target: Kafka) -> Settings:
    """The topics of people, or the one that the target names: their copies, and what each topic's settings are."""
    topics = {
        name: min((len(each.replicas) for each in said.partitions.values()), default=0)
        for name, said in target.metadata(target.timeout_s).topics.items()
        if (name == target.topic if target.topic else not name.startswith(INTERNAL))
    }
    configured, unread = target.topic_settings(sorted(topics), _ASKED)
    known = {name: copies for name, copies in topics.items() if name in configured}

    def those(which: Callable[[int, Mapping[str, str]], bool]) -> str:
        return some_of(name for name, copies in known.items() if which(copies, configured[name]))

    values = {
        "one copy": some_of(name for name, copies in topics.items() if copies < 2),
        "min.insync.replicas": those(lambda copies, said: copies > 1 and int(said["min.insync.replicas"]) < 2),
        "unclean.leader.election.enable": those(
            lambda copies, said: copies > 1 and said["unclean.leader.election.enable"] == "true"
        ),
        "flush": those(lambda copies, said: copies < 2 and said["flush.messages"] == said["flush.ms"] == NEVER),
    }
    refused = {name: unread for name in values if name != "one copy"} if unread else {}
    return Settings({name: said for name, said in values.items() if name not in refused}, refused)


def _of(name: str, words: str) -> Any:
    return lambda values: f"{values[name]}: {words}" if values[name] else ""


_ALONE = (
    "acks=all is satisfied by the leader alone while no other is in sync: when it is lost, so is what it acknowledged"
)
_UNCLEAN = "a replica that is behind may lead when no other is left, and what it had not received is cut off"
_UNSYNCED = "one copy, which the broker never syncs: a power cut loses what it acknowledged"
_ONE_COPY = "one copy: when its broker's disk is lost, so is all of it"
_IN_SYNC, _ELECTION = "min.insync.replicas", "unclean.leader.election.enable"
RULES = (
    Rule(_IN_SYNC, (_IN_SYNC,), _of(_IN_SYNC, _ALONE), 3, TOPICS, "failover"),
    Rule(_ELECTION, (_ELECTION,), _of(_ELECTION, _UNCLEAN), 3, TOPICS, "failover"),
    Rule("flush", ("flush",), _of("flush", _UNSYNCED), 3, TOPICS, "power", "kafka-power-cut"),
    Rule("replication", ("one copy",), _of("one copy", _ONE_COPY), 2, TOPICS),
)
