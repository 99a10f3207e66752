"""A store that answers 503 SlowDown to every other request, as S3 does to who asks too much."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = (
    b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
)
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@contextmanager
def every_other(url: str) -> Iterator[str]:
    """The address of one that leads to the store at ``url`` for every second request."""
    parts, count = urlsplit(url), itertools.count()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if next(count) % 2 == 0:
                return self.send(503, {}, SLOW_DOWN)
            upstream = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)
            # The signature covers the name that the client called us by.
            upstream.request(self.command, self.path, body or None, dict(self.headers.items()))
            said = upstream.getresponse()
            headers = {name: value for name, value in said.getheaders() if name.lower() not in HOP}
            if self.command == "HEAD":
                headers["Content-Length"] = said.getheader("Content-Length") or "0"
            self.send(said.status, headers, said.read())
            return upstream.close()

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

        def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        def log_message(self, *words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
