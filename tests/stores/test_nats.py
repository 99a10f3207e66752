"""NATS: whom its account is sent to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chaosday.errors import TargetUnreachable
from chaosday.model.store import Store
from chaosday.targets.nats import Nats

pytestmark = pytest.mark.kernel
SECRET = "canary-19cd-secret"


@contextmanager
def answering(info: dict[str, Any]) -> Iterator[tuple[int, list[bytes]]]:
    """A server that says so much of itself and keeps what it hears; its port, and that."""
    heard: list[bytes] = []
    said = b"INFO " + json.dumps({"version": "2", "jetstream": True, "max_payload": 1} | info).encode() + b"\r\n"

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
                with client:
                    client.sendall(said)
                    while got := client.recv(1 << 16):
                        heard.append(got)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
        yield listener.getsockname()[1], heard
        listener.shutdown(socket.SHUT_RDWR)
        worker.join(60)


@pytest.mark.parametrize("info", [{}, {"tls_required": False, "tls_available": True, "auth_required": True}])
@pytest.mark.parametrize("account", [{"user": "app", "password": SECRET}, {"password": SECRET}])
def test_no_account_is_sent_in_plain_where_tls_was_set(info: dict[str, Any], account: dict[str, Any]) -> None:
    """Whoever stands in between could say that the server has no TLS."""
    with answering(info) as (port, heard):
        target = Nats.model_validate({"port": port, "tls": {"server_name": "db.test"}, **account})
        asking = (target.reach, lambda: target.capability(Store).session("space", 5, {}))
        for each in asking:
            with pytest.raises(TargetUnreachable, match="does not ask for TLS") as caught:
                each()
            assert len(str(caught.value).splitlines()) == 1 and SECRET not in str(caught.value)
    assert heard == []
