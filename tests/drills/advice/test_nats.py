"""Streams of NATS that keep what they acknowledge and streams that do not, on one server and on three."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

from chaosday.drills.advice.advising import advise
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.nats import Nats
from tests.running.waiting import until

pytestmark = pytest.mark.lab


@contextmanager
def servers(folder: Path, count: int) -> Iterator[Nats]:
    """So many servers, of one cluster where there are several; the first of them."""
    ports = [(free_port(), free_port()) for _ in range(count)]
    routes = ",".join(f"nats://127.0.0.1:{peer}" for _, peer in ports)
    with ExitStack() as undo:
        for number, (clients, peer) in enumerate(ports):
            words = [
                program("nats-server", "nats-server"), "--jetstream", f"--store_dir={folder}/n{number}",
                "--addr=127.0.0.1", f"--port={clients}", f"--server_name=n{number}",
            ]  # fmt: skip
            if count > 1:
                words += ["--cluster_name=c", f"--cluster=nats://127.0.0.1:{peer}", f"--routes={routes}"]
            server = Server(f"n{number}", words, folder)
            undo.callback(server.stop)
            server.start(Nats(port=clients).reach)
        yield Nats(port=ports[0][0])


def add(target: Nats, **stream: Any) -> bool:
    """Make a stream; whether the cluster has a leader that could."""

    async def made() -> bool:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{target.port}")
        try:
            await client.jetstream(timeout=5).add_stream(**stream)
        except (ServiceUnavailableError, NoStreamResponseError, APIError, TimeoutError):
            return False
        finally:
            await client.close()
        return True

    return asyncio.run(made())


@pytest.mark.parametrize(
    ("count", "stream", "expected"),
    [
        (1, {}, {"replicas"}),
        (1, {"storage": "memory"}, {"replicas", "storage"}),
        (1, {"no_ack": True}, {"replicas", "no_ack"}),
        (3, {"num_replicas": 3}, set()),
        (3, {"num_replicas": 2}, {"even replicas"}),
    ],
)
def test_what_a_stream_can_lose(tmp_path: Path, count: int, stream: dict[str, Any], expected: set[str]) -> None:
    """By the stream's name; three copies on disk are not spoken of. How often they sync no client can read."""
    with servers(tmp_path, count) as target:
        until(lambda: add(target, name="orders", subjects=["orders"], **stream))
        found = advise(target)
    assert {each.rule for each in found if each.state == "can lose"} == expected
    assert all(each.words.startswith("orders: ") for each in found if each.state == "can lose")
    assert [each.rule for each in found if each.state == "unread"] == ["sync_interval"]


def test_a_server_without_streams_has_nothing_to_lose(tmp_path: Path) -> None:
    """Nothing is said but what could not be read."""
    with servers(tmp_path, 1) as target:
        assert [(each.rule, each.state) for each in advise(target)] == [("sync_interval", "unread")]
