"""Where the proxies listen and how they reach a server: every address of a name, and no more than was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaosday.errors import ChaosdayError, UsageError
from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.mechanisms.proxy import sockets
from chaosday.mechanisms.proxy.addresses import address
from chaosday.mechanisms.proxy.client import ProxyProcess
from tests.conformance.benches import Echo, echo_s

pytestmark = pytest.mark.lab

LOCALHOST = {str(place[0]) for *_, place in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
"""What this machine calls so: mostly an address of each family."""


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        (":80", ("127.0.0.1", 80)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::]:0", ("::", 0)),
    ],
)
def test_an_address_is_read(text: str, pair: tuple[str, int]) -> None:
    """Brackets are IPv6's, and no host is this machine only."""
    assert address(text) == pair


@pytest.mark.parametrize(
    "text", ["nohost", "host:", "host:port", "::1:80", "[host]:80", f"{'x' * 70}:80", "a..b:80", "h:99999"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """In words, before anything is connected to; a label that no name server could be asked for among them."""
    with pytest.raises(UsageError, match="is not an address"):
        address(text)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[ProxyProcess]:
    made = ProxyProcess.start(tmp_path / "proxy.json")
    yield made
    made.close()


def _route(proxy: ProxyProcess, listen: str, upstream: list[Any]) -> int:
    proxy.client.call("add_route", name="r", listen=[listen, 0], upstream=upstream)
    return address(proxy.client.call("route", route="r")["listen"])[1]


def _open(port: int) -> set[str]:
    """On which of this machine's addresses our proxy passes on to the echo; others may hold its port elsewhere."""
    listening = {
        each.laddr.ip
        for child in psutil.Process().children(recursive=True)
        for each in child.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port
    }
    places = (("127.0.0.1", "0.0.0.0"), ("::1", "::"), ("127.0.0.9", "0.0.0.0"))
    return {
        host for host, every in places if listening & {host, every} and echo_s((host, port), timeout_s=20) is not None
    }


@pytest.mark.parametrize(
    ("listen", "places"),
    [
        ("localhost", LOCALHOST),
        ("::", {"::1"}),
        ("0.0.0.0", {"127.0.0.1", "127.0.0.9"}),
        ("127.0.0.1", {"127.0.0.1"}),
    ],
)
def test_down_and_up_again_at_the_same_addresses(
    proxy: ProxyProcess, echo: Echo, listen: str, places: set[str]
) -> None:
    """All of them are refused while the route is down, and the same ones are open afterwards, at the same port."""
    port = _route(proxy, listen, ["127.0.0.1", echo.port])
    assert _open(port) == places
    proxy.client.call("arm", lease_id="cd-1", run="r", fault="f", ttl_s=600)
    proxy.client.call("inject", route="r", lease_id="cd-1", toxic_spec={"kind": "down"})
    assert _open(port) == set()
    proxy.client.call("heal", lease_id="cd-1")
    assert _open(port) == places


@pytest.mark.parametrize("host", [f"{'x' * 70}.test", "a..b"])
def test_a_name_that_cannot_be_asked_for_is_refused(proxy: ProxyProcess, host: str) -> None:
    """A route to it would hang every client."""
    with pytest.raises(UsageError, match="is no host name"):
        proxy.client.call("add_route", name="r", listen=["127.0.0.1", 0], upstream=[host, 80])


def test_the_second_address_of_a_silent_first(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an address that answers nothing is reached by its other one, long before the first gives up."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    with contextlib.ExitStack() as waiting:
        waiting.enter_context(full)
        for _ in range(3):  # nobody takes these: the next one is silent
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
            for port in (full.getsockname()[1], echo.port)
        ]

        async def reach() -> tuple[str, int]:
            async def both(*_: object, **__: object) -> list[Any]:
                return found

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
            wire = await sockets.reached("two.test", 1, 60)
            with wire:
                peer: tuple[str, int] = wire.getpeername()
                return peer

        assert asyncio.run(reach()) == ("127.0.0.1", echo.port)


def test_the_soft_limit_is_raised(proxy: ProxyProcess) -> None:
    """As many descriptors as the hard limit allows; a limit that is too low for a busy service is said."""
    words = Path(f"/proc/{proxy.pid}/limits").read_text().split("Max open files")[1].split()
    assert words[0] == words[1]
    assert proxy.client.call("room")["at_most"] > 0
    assert sockets.too_few(4000) == ""
    assert "at most 100 connections" in sockets.too_few(100)


@pytest.mark.parametrize("which", ["http", "tcp"])
def test_many_connections_at_once(tmp_path: Path, echo: Echo, which: str) -> None:
    """Six hundred clients at once, so that descriptors go beyond what select() can hold; each is answered."""
    with contextlib.ExitStack() as ends:
        if which == "tcp":
            made = ProxyProcess.start(tmp_path / "p.json")
            ends.callback(made.close)
            port = _route(made, "127.0.0.1", ["127.0.0.1", echo.port])
        else:
            http = ends.enter_context(HttpProxyProcess.start(tmp_path / "p.sock"))
            port = address(http.add_route("r", f"http://127.0.0.1:{echo.port}"))[1]
        clients = [ends.enter_context(socket.create_connection(("127.0.0.1", port), 60)) for _ in range(600)]
        for number, client in enumerate(clients):
            client.sendall(b"%05d no HTTP\n" % number)
        assert [client.recv(5) for client in clients] == [b"%05d" % number for number in range(600)]


@pytest.mark.parametrize(("listen", "says"), [("[::1]:0", "[::1]:"), (":0", "127.0.0.1:")])
def test_the_http_proxy_listens_where_it_was_told(tmp_path: Path, echo: Echo, listen: str, says: str) -> None:
    """IPv6 is understood, and a place without a host is not every interface."""
    with HttpProxyProcess.start(tmp_path / "p.sock") as http:
        said = http.add_route("r", f"http://127.0.0.1:{echo.port}", listen=listen)
        assert said.startswith(says)
        assert _open(address(said)[1]) == {address(said)[0]}
        with pytest.raises(ChaosdayError, match="is not an address"):
            http.add_route("s", f"http://127.0.0.1:{echo.port}", listen="::1:0")


def test_a_name_of_both_families_has_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address is bound, at the same free port, and bound again when it is shut."""
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", 0, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    async def shut() -> tuple[list[Any], list[Any]]:
        acceptor = sockets.Acceptor(sockets.bound("both.test", 0), lambda _: None, lambda: False)
        before = [wire.getsockname()[:2] for wire in acceptor.sockets]
        again = sockets.rebound(acceptor)
        after = [wire.getsockname()[:2] for wire in again]
        for wire in again:
            wire.close()
        return before, after

    before, after = asyncio.run(shut())
    assert before == after
    assert [host for host, _ in before] == ["127.0.0.1", "::1"]
    assert len({port for _, port in before}) == 1
