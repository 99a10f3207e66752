"""A small real HTTP service, and the proxy before it."""

from __future__ import annotations

import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.targets.http_route import HttpRoute

PAGE = b"<html><body><div id='cart' class='box'><span class='price'>12.50</span></div></body></html>"
BIG = bytes(range(256)) * 8192


class Shop(http.server.BaseHTTPRequestHandler):
    """Pages, an API, a chunked answer, and an upload that is remembered."""

    protocol_version = "HTTP/1.1"
    uploads: list[bytes] = []

    def do_GET(self) -> None:
        if self.path.startswith("/chunked"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BIG), 100_000):
                piece = BIG[start : start + 100_000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        answers = {"/api/cart": json.dumps({"items": [{"price": 12.5}], "total": 12.5}).encode(), "/big": BIG}
        body = answers.get(self.path, PAGE)
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.path.startswith("/api") else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).uploads.append(body)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="session")
def shop() -> Iterator[str]:
    """The URL of the service."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProxyProcess]:
    """One proxy for all tests; each adds its own route."""
    with HttpProxyProcess.start(tmp_path_factory.mktemp("proxy") / "proxy.sock") as process:
        yield process


@pytest.fixture
def route(shop: str, proxy: HttpProxyProcess, request: pytest.FixtureRequest) -> HttpRoute:
    """A route of the test's own to the service."""
    name = request.node.name
    proxy.add_route(name, shop)
    return HttpRoute(control=Path(proxy.control), route=name)


@pytest.fixture(scope="session")
def tls_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The service behind TLS with a certificate of its own: URL and certificate file."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", key, "-out", certificate, "-days", "2", *names], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}", str(certificate)
    server.shutdown()
