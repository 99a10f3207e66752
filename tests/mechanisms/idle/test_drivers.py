"""Drivers of stores, and HTTP/2, see through an idle proxy what they see without it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import nats
import pika
import pika.exceptions
import psycopg
import pytest
import redis

from chaosday.lab.stands import stand
from tests.mechanisms.idle.compare import Leads
from tests.mechanisms.idle.script import noise

pytestmark = pytest.mark.lab

LONG = noise(2 << 20)
PATIENCE_S = 120


def _postgresql(host: str, port: int, password: str) -> list[Any]:
    """Answers in text and binary, COPY both ways, an error, a notice of another session, and an end by the server."""
    at = f"host={host} port={port} user=postgres dbname=postgres connect_timeout={PATIENCE_S}"
    with (
        psycopg.connect(at, password=password, autocommit=True) as one,
        psycopg.connect(at, password=password, autocommit=True) as other,
    ):
        seen: list[Any] = [one.execute("select %b::bytea, %t::text", (LONG, "ä")).fetchone()]
        one.execute("create temp table t (n int, word text)")
        with one.cursor().copy("copy t from stdin") as copy:
            for number in range(20_000):
                copy.write_row((number, f"word {number}"))
        with one.cursor().copy("copy t to stdout") as copy:
            seen.append(hashlib.sha256(b"".join(bytes(each) for each in copy)).hexdigest())
        try:
            one.execute("select 1 / 0")
        except psycopg.Error as error:
            seen.append(str(error))
        one.execute("listen idle")
        other.execute("notify idle, 'said'")
        seen.append([(each.channel, each.payload) for each in one.notifies(timeout=PATIENCE_S, stop_after=1)])
        other.execute("select pg_terminate_backend(%s)", (one.info.backend_pid,))
        try:
            one.execute("select 1")
        except psycopg.Error as error:
            seen.append(str(error))
    return seen


def _redis(host: str, port: int, _: str) -> list[Any]:
    """A long value, a pipeline, an error, a message of another client, and an end by the server."""
    one, other = (redis.Redis(host, port, socket_timeout=PATIENCE_S, retry=None) for _ in range(2))
    with one, other:
        one.set("long", LONG)
        pipeline = one.pipeline()
        for number in range(2_000):
            pipeline.set("k", number).get("k")
        seen: list[Any] = [one.get("long") == LONG, pipeline.execute()]
        try:
            one.lpush("long", "x")
        except redis.ResponseError as error:
            seen.append(str(error))
        with one.pubsub() as listens:
            listens.subscribe("idle")
            seen.append(listens.get_message(timeout=PATIENCE_S))
            other.publish("idle", b"said")
            seen.append(listens.get_message(timeout=PATIENCE_S))
        with socket.create_connection((host, port), timeout=PATIENCE_S) as plain:
            plain.sendall(b"*1\r\n$-5\r\n")
            seen.append(b"".join(iter(lambda: plain.recv(4096), b"")))
    return seen


def _amqp(host: str, port: int, _: str) -> list[Any]:
    """Long messages confirmed and read back in order, a channel that the broker closes, and a refused login."""
    at = pika.ConnectionParameters(host, port, socket_timeout=PATIENCE_S)
    seen: list[Any] = []
    with contextlib.closing(pika.BlockingConnection(at)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("idle", auto_delete=True)
        for size in (0, 1, 200_000, len(LONG)):
            channel.basic_publish("", "idle", LONG[:size])
        for _ in range(4):
            _, _, body = channel.basic_get("idle", auto_ack=True)
            seen.append(hashlib.sha256(body or b"").hexdigest())
        try:
            channel.queue_declare("idle-none", passive=True)
        except pika.exceptions.ChannelClosedByBroker as error:
            seen.append(str(error))
        connection.channel().queue_delete("idle")
    wrong = pika.ConnectionParameters(host, port, credentials=pika.PlainCredentials("guest", "wrong"))
    try:
        pika.BlockingConnection(wrong).close()
    except pika.exceptions.AMQPError as error:
        seen.append(repr(error))
    return seen


def _nats(host: str, port: int, _: str) -> list[Any]:
    """Messages of all lengths to a subscriber, a request that nobody answers, and an end by the server."""

    async def ask() -> list[Any]:
        client = await nats.connect(f"nats://{host}:{port}", allow_reconnect=False, connect_timeout=PATIENCE_S)
        heard = await client.subscribe("idle")
        for size in (0, 1, 70_000, 1_000_000):
            await client.publish("idle", LONG[:size])
        seen: list[Any] = [hashlib.sha256((await heard.next_msg(PATIENCE_S)).data).hexdigest() for _ in range(4)]
        try:
            await client.request("idle.nobody", b"?", timeout=PATIENCE_S)
        except nats.errors.NoRespondersError as error:
            seen.append(str(error))
        await client.close()
        return seen

    seen = asyncio.run(ask())
    with socket.create_connection((host, port), timeout=PATIENCE_S) as plain:
        plain.sendall(b"NONSENSE\r\n")
        said = b"".join(iter(lambda: plain.recv(4096), b""))
    return [*seen, re.sub(rb"INFO [^\r]*", b"INFO", said)]


DRIVERS: dict[str, Callable[[str, int, str], list[Any]]] = {"postgresql": _postgresql, "redis": _redis, "nats": _nats}
DRIVERS["rabbitmq"] = _amqp


@pytest.mark.parametrize(
    "kind", [pytest.param(each, marks=pytest.mark.breadth if each == "rabbitmq" else ()) for each in sorted(DRIVERS)]
)
def test_a_driver_sees_the_same(kind: str, tmp_path: Path, through_tcp: Leads) -> None:
    """Answers, errors, what comes unasked, and how the server ends a connection."""
    with stand(kind, tmp_path / kind, {}) as facts:
        server = {"host": "127.0.0.1", "password": "", **facts["server"]}
        place = server["host"], server["port"]
        direct = DRIVERS[kind](*place, server["password"])
        assert DRIVERS[kind](*through_tcp("{}:{}".format(*place)), server["password"]) == direct
    assert len(direct) > 3


def _answer(connection: h2.connection.H2Connection, stream: int, given: bytes) -> None:
    """As a service of gRPC does: a message, and its status in trailers."""
    connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
    connection.send_data(stream, hashlib.sha256(given).hexdigest().encode())
    connection.send_headers(stream, [("grpc-status", "0"), ("grpc-message", "said")], end_stream=True)


def _serve(wire: socket.socket) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    wire.sendall(connection.data_to_send())
    given: dict[int, bytes] = {}
    with wire, contextlib.suppress(OSError, h2.exceptions.ProtocolError):
        while came := wire.recv(65_536):
            for event in connection.receive_data(came):
                if isinstance(event, h2.events.DataReceived):
                    given[event.stream_id] = given.get(event.stream_id, b"") + event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, h2.events.StreamEnded):
                    _answer(connection, event.stream_id, given.pop(event.stream_id, b""))
            wire.sendall(connection.data_to_send())


@pytest.fixture(scope="module")
def http2() -> Iterator[str]:
    """A server of HTTP/2 without TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=_serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_http_2_passes_unharmed(http2: str, through_http: Leads, through_tcp: Leads, tmp_path: Path) -> None:
    """Prior knowledge, 2 MB up against flow control, and trailers."""
    upload = tmp_path / "upload"
    upload.write_bytes(LONG)

    def ask(place: str) -> tuple[int, bytes]:
        words = ["--http2-prior-knowledge", "-sS", "-i", "--max-time", str(PATIENCE_S), "--data-binary", f"@{upload}"]
        done = subprocess.run(["curl", *words, f"http://{place}/one"], capture_output=True, check=False)
        return done.returncode, done.stdout

    direct = ask(http2)
    assert direct[0] == 0
    assert direct[1].count(hashlib.sha256(LONG).hexdigest().encode()) == 1
    assert direct[1].count(b"grpc-status: 0") == 1
    for leads in (through_http, through_tcp):
        host, port = leads(http2)
        assert ask(f"{host}:{port}") == direct
