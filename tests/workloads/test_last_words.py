"""The last reading of a set or a queue, by which everything is accounted for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from chaosday.checks.set import SetOfAdds
from chaosday.checks.total_queue import TotalQueue
from chaosday.clients import asking
from chaosday.clients.store_workload import StoreWorkload
from chaosday.model.target import Target
from chaosday.record.recorder import seal
from chaosday.servers.ports import free_port
from chaosday.targets.rabbitmq import RabbitMQ
from chaosday.targets.redis import Redis
from chaosday.workloads.queue import Queue
from chaosday.workloads.set import Set

CASES = [
    pytest.param(Queue, RabbitMQ, TotalQueue(), "drain", id="queue"),
    pytest.param(Set, Redis, SetOfAdds(), "read", id="set"),
]


@pytest.mark.parametrize(("workload", "kind", "check", "f"), CASES)
def test_a_system_that_is_gone_in_the_end_has_been_asked(
    workload: type[StoreWorkload],
    kind: type[RabbitMQ | Redis],
    check: SetOfAdds | TotalQueue,
    f: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The history says that it was not reached, and nothing is concluded from it."""
    monkeypatch.setattr(asking, "LAST_WORDS_S", 0.2)
    stop = threading.Event()
    stop.set()
    target: Target = kind(port=free_port())
    workload(target="service", clients=2).run(target, tmp_path, stop, seed=1)
    history = seal(tmp_path)
    assert [(row["f"], row["status"], row["error"]) for row in history.to_pandas().to_dict("records")] == [
        (f, "failed", "not reached for 0.2 s")
    ]
    assert check.analyse(history)["valid?"] == "unknown"
