"""A token goes to the service that it is for, whatever that service answers."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from chaosday.mechanisms.http_proxy.redirects import origin
from chaosday.mechanisms.http_proxy.web import Web
from chaosday.targets.web_service import WebService

TOKEN = "canary-31c8-token"


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Sends whoever asks for ``/to/URL`` there, and keeps what everybody else brings."""

    brought: list[tuple[str, str]] = []

    def do_GET(self) -> None:
        _, to, place = self.path.partition("/to/")
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", place)
        else:
            self.brought.append((self.path, str(self.headers.get("X-Token"))))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def services() -> Iterator[tuple[str, str]]:
    """Two of them: two ports are two origins."""
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) for _ in range(2)]
    for each in servers:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    Redirecting.brought.clear()
    yield f"http://127.0.0.1:{servers[0].server_port}", f"http://127.0.0.1:{servers[1].server_port}"
    for each in servers:
        each.shutdown()
        each.server_close()


def test_a_token_follows_no_redirect_to_another_origin(services: tuple[str, str]) -> None:
    """The redirect is the answer then; within the service it is followed as ever."""
    own, other = services
    service = WebService(base_url=own, token=SecretStr(TOKEN), token_header="X-Token")
    web = service.capability(Web)
    assert web.ask("GET", f"/to/{other}/stolen", {}, timeout_s=60).status == 302
    assert web.ask("GET", f"/to/{own}/to/{other}/stolen", {}, timeout_s=60).status == 302
    assert Redirecting.brought == []
    assert web.ask("GET", f"/to/{own}/fine", {}, timeout_s=60).status == 200
    assert web.ask("GET", "/to//also", {}, timeout_s=60).status == 200
    assert Redirecting.brought == [("/fine", f"Bearer {TOKEN}"), ("/also", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a/x", "http://A:80/y", True),
        ("https://a", "https://a:443", True),
        ("http://a", "https://a", False),
        ("http://a", "http://a:81", False),
        ("http://a", "http://a.b", False),
        ("http://a:1", "http://a:x1", False),
    ],
)
def test_what_one_origin_is(one: str, other: str, same: bool) -> None:
    """Scheme, host and port."""
    assert (origin(one) == origin(other)) is same
