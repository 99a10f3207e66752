"""Messages of brokers have an end: what is announced as longer is refused before it is here."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chaosday.model.store import NoEffect, Store, Unanswered
from chaosday.processes.limits import messages
from chaosday.registry import member

GIGABYTE = 1 << 30


@contextlib.contextmanager
def broker(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port; what connects to it is served once, by what the test says."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError, ValueError):
            held.append(listener.accept()[0])
            serve(held[0])

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for each in (listener, *held):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        thread.join()


def asked_of(kind: str, port: int, f: str) -> str:
    """What an operation of a store of that kind, at that port, ends with."""
    target: Any = member("targets", kind).model_validate({"port": port})
    session = target.capability(Store).session("x", 30, {"confirm": False})
    try:
        with pytest.raises((NoEffect, Unanswered)) as refused:
            session.ask(f, None, 1)
    finally:
        session.close()
    return str(refused.value)


def flooded(client: socket.socket, taken: list[int]) -> None:
    """Send as if a message of a gigabyte were to come, for as long as anybody takes it."""
    for _ in range(GIGABYTE >> 16):
        client.sendall(bytes(1 << 16))
        taken.append(1 << 16)


@pytest.mark.breadth
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"MSG x 1 %d\r\n" % GIGABYTE, f"a message of {GIGABYTE} bytes"),
        (b"HMSG x 1 12 %d\r\n" % GIGABYTE, f"a message of {GIGABYTE} bytes"),
        (b"INFO ", "bytes without an end"),
    ],
)
def test_nats(line: bytes, words: str) -> None:
    """A message or a line of a gigabyte closes the connection, and is told by its length."""
    taken: list[int] = []

    def serve(client: socket.socket) -> None:
        client.sendall(b'INFO {"server_id":"x","version":"2.9.0","proto":1,"headers":true,"max_payload":1048576}\r\n')
        while b"PING" not in client.recv(65536):
            continue
        client.sendall(b"PONG\r\n")
        client.recv(65536)
        client.sendall(line)
        flooded(client, taken)

    with broker(serve) as port:
        assert words in asked_of("nats", port, "enqueue")
    assert sum(taken) < GIGABYTE / 4


@pytest.mark.parametrize("of_a_frame", [True, False])
def test_rabbitmq(of_a_frame: bool) -> None:
    """So is a message of a gigabyte in frames as they should be, and a frame that is longer than was agreed upon."""
    from pika import frame, spec

    taken: list[int] = []
    start = spec.Connection.Start(server_properties={"version": "3"}, mechanisms="PLAIN", locales="en_US")
    answers = {
        "Connection.StartOk": spec.Connection.Tune(0, 131072, 0), "Connection.Open": spec.Connection.OpenOk(),
        "Channel.Open": spec.Channel.OpenOk(), "Basic.Qos": spec.Basic.QosOk(),
        "Queue.Declare": spec.Queue.DeclareOk("x", 1, 0),
    }  # fmt: skip

    def serve(client: socket.socket) -> None:
        assert client.recv(8).startswith(b"AMQP")
        client.sendall(frame.Method(0, start).marshal())
        had, tag = b"", ""
        while not tag:
            had += client.recv(65536)
            while (found := frame.decode_frame(had))[1] is not None:
                had, (method, channel) = had[found[0] :], (found[1].method, found[1].channel_number)
                if method.NAME in answers:
                    client.sendall(frame.Method(channel, answers[method.NAME]).marshal())
                tag = getattr(method, "consumer_tag", "")
        client.sendall(frame.Method(1, spec.Basic.ConsumeOk(tag)).marshal())
        client.sendall(frame.Method(1, spec.Basic.Deliver(tag, 1, False, "", "x")).marshal())
        if of_a_frame:
            client.sendall(b"\3\0\1" + GIGABYTE.to_bytes(4, "big"))
        else:
            client.sendall(frame.Header(1, GIGABYTE, spec.BasicProperties()).marshal())
        flooded(client, taken)

    with broker(serve) as port:
        said = asked_of("rabbitmq", port, "drain")
    assert f"a {'frame' if of_a_frame else 'message'} of {GIGABYTE} bytes" in said
    assert sum(taken) < GIGABYTE / 4


def test_a_message_of_ours_is_far_from_the_bound() -> None:
    """The longest number that a workload sends is taken in many thousand times over."""
    assert 1000 * len(str(-(2**63))) < messages.MESSAGE_BYTES
