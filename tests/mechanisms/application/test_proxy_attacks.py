"""What a client can do to slip past a rule of the HTTP proxy, or to be kept from the service by its own words."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from chaosday.mechanisms.http_proxy.canary import CANARY
from chaosday.mechanisms.http_proxy.client import HttpProxyProcess, RouteControl, tell
from chaosday.mechanisms.http_proxy.rule import Match, Rule
from chaosday.targets.http_route import HttpRoute
from tests.mechanisms.application.conftest import Shop
from tests.mechanisms.application.test_http_proxy import hurt

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: shop\r\n\r\n"


def put(route: HttpRoute, headers: dict[str, str], body: bytes) -> int:
    """The status of a PUT by a client of the service."""
    connection = http.client.HTTPConnection(route.listen(), timeout=20)
    try:
        connection.request("PUT", "/thing", body=body, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("value", ["1", "", "0" * 32, f"{'0' * 32}-{'0' * 64}"])
def test_a_client_cannot_make_a_canary(route: HttpRoute, value: str) -> None:
    """Its request reaches the service, whatever it says in our header, with a lease armed and without."""
    for body in (b"unarmed " + value.encode(), b"armed " + value.encode()):
        with hurt(route, Rule(match=Match(path="/elsewhere"))):
            assert put(route, {CANARY: value}, body) == 201
        assert body in Shop.uploads


def test_a_ticket_is_good_once_and_on_its_own_route(route: HttpRoute, proxy: HttpProxyProcess, shop: str) -> None:
    """The second request with it is cut off, and never passed on; elsewhere it is a client's word like any other."""
    proxy.add_route("elsewhere", shop)
    ticket = tell(Path(proxy.control), {"do": "ticket", "route": route.route, "lasts_s": 60})
    elsewhere = HttpRoute(control=route.control, route="elsewhere")
    assert put(elsewhere, {CANARY: ticket}, b"on another route") == 201
    assert b"on another route" in Shop.uploads
    assert put(route, {CANARY: ticket}, b"first use") == 200
    with pytest.raises((OSError, http.client.HTTPException)):
        put(route, {CANARY: ticket}, b"second use")
    assert not {b"first use", b"second use"} & set(Shop.uploads)


class Lenient(StreamRequestHandler):
    """A service that reads lengths by Content-Length alone, and takes a bare line feed for an end of line."""

    seen: list[bytes] = []

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            self.seen.append(line.split()[1] if len(line.split()) > 1 else line)
            while header := self.rfile.readline().strip():
                if header.lower().startswith(b"content-length:") and header.split(b":")[1].strip().isdigit():
                    length = int(header.split(b":")[1])
            self.rfile.read(length)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def lenient(proxy: HttpProxyProcess, request: pytest.FixtureRequest) -> Iterator[HttpRoute]:
    """A route to it."""
    Lenient.seen.clear()
    with ThreadingTCPServer(("127.0.0.1", 0), Lenient) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy.add_route(request.node.name, f"http://127.0.0.1:{server.server_address[1]}")
        yield HttpRoute(control=Path(proxy.control), route=request.node.name)
        server.shutdown()


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


SMUGGLING = {
    "xchunked": (b"Transfer-Encoding: xchunked\r\n", chunked(HIDDEN)),
    "not last": (b"Transfer-Encoding: chunked, identity\r\n", chunked(HIDDEN)),
    "two headers": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", chunked(HIDDEN)),
    "both": (b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", chunked(HIDDEN)),
    "old": (b"Transfer-Encoding: chunked\r\nX: HTTP/1.0\r\n", chunked(HIDDEN)),
    "space": (b"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n" % len(chunked(HIDDEN)), chunked(HIDDEN)),
    "two lengths": (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "signed length": (b"Content-Length: +%d\r\n" % len(HIDDEN), HIDDEN),
    "no number": (b"Content-Length: \xb2\r\n", HIDDEN),
    "folded": (b"X: y\r\n Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "line feeds": (b"X: y\n\nGET /hidden HTTP/1.1\nY: z\r\n", b""),
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_nothing_is_hidden_in_a_body(lenient: HttpRoute, name: str) -> None:
    """A request whose end can be seen in two places is refused: what is in it would slip past every rule."""
    headers, body = SMUGGLING[name]
    version = b"1.0" if name == "old" else b"1.1"
    host, _, port = lenient.listen().rpartition(":")
    with (
        hurt(lenient, Rule(match=Match(path="/hidden"), status=503)),
        socket.create_connection((host, int(port))) as wire,
    ):
        wire.settimeout(60)
        wire.sendall(b"POST /open HTTP/%b\r\nHost: shop\r\n%b\r\n%b" % (version, headers, body))
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := wire.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass  # we had sent more than was read
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert Lenient.seen == []


def test_a_rule_on_an_operation_sees_a_form_in_chunks(route: HttpRoute) -> None:
    """The operation of a query protocol is found in its form, however that is framed."""
    rule = Rule(match=Match(service="sqs", operations=["SendMessage"]), status=503)
    signed = "AWS4-HMAC-SHA256 Credential=AKIA/20000101/us-east-1/sqs/aws4_request"
    headers = {"Authorization": signed, "Content-Type": "application/x-www-form-urlencoded"}
    with hurt(route, rule) as held:
        assert isinstance(held, RouteControl)
        connection = http.client.HTTPConnection(route.listen(), timeout=20)
        connection.request("POST", "/", body=iter([b"Action=Send", b"Message"]), headers=headers, encode_chunked=True)
        assert connection.getresponse().status == 503
        connection.close()
