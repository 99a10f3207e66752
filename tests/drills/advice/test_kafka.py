"""Topics of Kafka that keep what they acknowledge and topics that do not, on three real brokers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from chaosday.drills.advice.advising import advise
from chaosday.lab.stands import fresh
from chaosday.targets.kafka import Kafka
from tests.running.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("stores")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Kafka]:
    with fresh("kafka", {"brokers": 3}) as facts:
        yield Kafka.model_validate(facts["server"])


def topic(cluster: Kafka, name: str, copies: int, **settings: str) -> Kafka:
    """A topic, and the target that names it."""
    made = NewTopic(name, 1, copies, config={key.replace("_", "."): value for key, value in settings.items()})
    admin = AdminClient(cluster.settings())
    for future in admin.create_topics([made]).values():
        future.result(60)
    until(lambda: name in cluster.metadata(30).topics)
    return cluster.model_copy(update={"topic": name, "timeout_s": 60})


@pytest.mark.parametrize(
    ("copies", "settings", "expected"),
    [
        (3, {"min_insync_replicas": "2"}, set()),
        (3, {}, {"min.insync.replicas"}),
        (3, {"min_insync_replicas": "2", "unclean_leader_election_enable": "true"}, {"unclean.leader.election.enable"}),
        (1, {"min_insync_replicas": "1"}, {"flush", "replication"}),
        (1, {"flush_messages": "1"}, {"replication"}),
    ],
)
def test_what_a_topic_can_lose(cluster: Kafka, copies: int, settings: dict[str, Any], expected: set[str]) -> None:
    """By the topic's name; three copies of which two have to be in sync are not spoken of."""
    name = f"t-{copies}-{'-'.join(settings).replace('_', '.') or 'as-installed'}"
    found = advise(topic(cluster, name, copies, **settings))
    assert {(each.rule, each.state) for each in found} == {(rule, "can lose") for rule in expected}
    assert all(each.words.startswith(f"{name}: ") for each in found)
