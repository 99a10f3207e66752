"""TLS before the HTTP proxy: rules work on https, and HTTP/2 goes by unharmed where no rule needs its inside."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.errors import LeaseError
from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.mechanisms.http_proxy.lab_certificate import LabCertificate, lab_certificate
from chaosday.mechanisms.http_proxy.routes import Upstream
from chaosday.mechanisms.http_proxy.rule import Match, Rule
from chaosday.mechanisms.http_proxy.tls import Front, offered, protocols
from chaosday.mechanisms.http_proxy.wire import Lost, Wire
from chaosday.targets.http_route import HttpRoute
from tests.mechanisms.application.conftest import BIG, PAGE
from tests.mechanisms.application.test_http_proxy import hurt


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> LabCertificate:
    """A certificate of an authority for this module."""
    return lab_certificate(tmp_path_factory.mktemp("lab-tls") / "tls", ["shop.test"])


def routed(proxy: HttpProxyProcess, name: str, upstream: str, made: LabCertificate, authority: str = "") -> HttpRoute:
    files = {"certificate_file": str(made.certificate_file), "key_file": str(made.key_file)}
    proxy.add_route(name, upstream, authority_file=authority, **files)
    return HttpRoute(control=Path(proxy.control), route=name)


def spoken(route: HttpRoute, made: LabCertificate, offers: list[str]) -> tuple[ssl.SSLSocket, str]:
    """A TLS connection to the route, and the protocol that was agreed on."""
    context = ssl.create_default_context(cafile=str(made.authority_file))
    context.set_alpn_protocols(offers)
    host, _, port = route.listen().rpartition(":")
    wire = context.wrap_socket(socket.create_connection((host, int(port)), 60), server_hostname="shop.test")
    return wire, wire.selected_alpn_protocol() or ""


def hello(context: ssl.SSLContext) -> bytes:
    """The first bytes of a client with this context."""
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="shop.test").do_handshake()
    return out.read()


def pair_of_tcp() -> tuple[socket.socket, Wire]:
    """A client, and the proxy's side of its connection; to be made in a loop."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    accepted.setblocking(False)
    return client, Wire(accepted)


def curl(route: HttpRoute, made: LabCertificate, path: str) -> tuple[bytes, str]:
    """Body and status, as curl sees them."""
    command = ["curl", "-sS", "--cacert", str(made.authority_file), "--max-time", "60", "-w", "%{stderr}%{http_code}"]
    done = subprocess.run([*command, f"https://{route.listen()}{path}"], capture_output=True, check=False)
    return done.stdout, done.stderr.decode()


@pytest.mark.parametrize("behind", ["http", "https"])
def test_rules_work_on_https(
    proxy: HttpProxyProcess, shop: str, tls_shop: tuple[str, str], made: LabCertificate, behind: str
) -> None:
    """Unhurt the bytes arrive, with a rule its status does, and after it the bytes again."""
    upstream, authority = (shop, "") if behind == "http" else tls_shop
    route = routed(proxy, f"tls-{behind}", upstream, made, authority)
    assert curl(route, made, "/big") == (BIG, "200")
    with hurt(route, Rule(match=Match(path="/api/*"), status=503)):
        assert curl(route, made, "/api/cart")[1] == "503"
        assert curl(route, made, "/") == (PAGE, "200")
    assert curl(route, made, "/api/cart")[1] == "200"


@pytest.fixture
def only_h2(made: LabCertificate) -> Iterator[str]:
    """A TLS server that agrees to HTTP/2 or 1.1, says which, and sends back whatever it gets until its end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate_file, made.key_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    wire, _ = listening.accept()
                except OSError:
                    return
                with context.wrap_socket(wire, server_side=True) as secure:
                    secure.sendall(f"{secure.selected_alpn_protocol()}\n".encode())
                    while data := secure.recv(65536):
                        secure.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


def test_http_2_goes_by_where_no_rule_needs_its_inside(
    proxy: HttpProxyProcess, only_h2: str, made: LabCertificate
) -> None:
    """Both ends agree on it as they would directly; under a lease a client that can speaks HTTP/1.1, and only it."""
    route = routed(proxy, "h2", only_h2, made, str(made.authority_file))
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(range(256)) * 300
    with_lease = []
    for offers in (["h2", "http/1.1"], ["h2"]):
        wire, agreed = spoken(route, made, offers)
        with wire:
            wire.sendall(preface)
            came = b""
            while len(came) < len(preface) + 3:
                came += wire.recv(65536)
            assert (agreed, came) == ("h2", b"h2\n" + preface)
        with hurt(route, Rule(match=Match(path="/x"))):
            wire, agreed = spoken(route, made, offers)
            wire.close()
            with_lease.append(agreed)
    assert with_lease == ["http/1.1", "h2"]


def test_a_service_is_offered_what_this_client_offers(made: LabCertificate) -> None:
    """Not what the one before it did, nor anything where it offers nothing."""
    upstream = Upstream.of("https://shop.test", str(made.authority_file))
    for offers in (["h2", "http/1.1"], [], ["http/1.1"], []):
        assert protocols(hello(upstream.context(offers))) == offers


def test_a_name_that_is_no_text_is_not_offered(made: LabCertificate) -> None:
    """Clients offer such names to see who stumbles (RFC 8701); nothing of Python's could offer them on."""
    upstream = Upstream.of("https://shop.test", str(made.authority_file))
    said = hello(upstream.context(["h2", "odd"])).replace(b"\x03odd", b"\x03\xca\xca\xca")
    assert protocols(said) == ["h2"]


@pytest.mark.parametrize("said", [0, 3, 100])
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_goes_in_its_hello_is_lost(made: LabCertificate, said: int, reset: bool) -> None:
    """At once, by its end or by a reset, while its hello is looked at and while it is answered: no error of ours."""
    whole = hello(ssl.create_default_context(cafile=str(made.authority_file)))
    front = Front(str(made.certificate_file), str(made.key_file))

    async def gone(step: Callable[[Wire], Coroutine[Any, Any, Any]]) -> None:
        client, wire = pair_of_tcp()
        client.sendall(whole[:said])
        asyncio.get_running_loop().call_later(0.05, client.close)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            async with asyncio.timeout(60):
                await step(wire)
        finally:
            wire.close()

    with pytest.raises(Lost):
        asyncio.run(gone(offered))
    # Without a reset that is an end in the middle of TLS, for which there is a word of its own.
    with pytest.raises(Lost if reset else (Lost, ssl.SSLError)):
        asyncio.run(gone(lambda wire: wire.secure(front.context(()), server_side=True)))


def test_a_hello_may_come_in_pieces(made: LabCertificate) -> None:
    """What is missing is waited for, and all of it is left unread."""
    whole = hello(Upstream.of("https://shop.test", str(made.authority_file)).context(["h2"]))

    async def asked() -> tuple[list[str], bytes]:
        client, wire = pair_of_tcp()
        for number, piece in enumerate((whole[:2], whole[2:70], whole[70:])):
            asyncio.get_running_loop().call_later(number / 50, client.sendall, piece)
        async with asyncio.timeout(60):
            found = await offered(wire), bytes(await wire.some())
        client.close()
        wire.close()
        return found

    assert asyncio.run(asked()) == (["h2"], whole)


def test_the_authority_signs_nothing_else(made: LabCertificate) -> None:
    """Its key is gone, and what is left in the folder is for its owner only."""
    folder = made.authority_file.parent
    assert sorted(path.name for path in folder.iterdir()) == ["authority.pem", "server.key", "server.pem"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made.key_file.stat().st_mode & 0o077 == 0


def test_a_wrong_certificate_is_said_at_once(proxy: HttpProxyProcess, tmp_path: Path) -> None:
    """Before anybody connects."""
    with pytest.raises(LeaseError, match="cannot be used"):
        proxy.add_route("wrong", "http://127.0.0.1:1", certificate_file=str(tmp_path / "none.pem"))
