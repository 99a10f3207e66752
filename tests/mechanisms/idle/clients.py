"""Clients that nobody here wrote, asking a service that nobody here wrote: what they see is compared, way by way."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import requests
import urllib3
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from tests.mechanisms.idle.script import noise

BODY = noise(3 << 20)
Client = Callable[[str, int], str]
"""What a client saw of the service at a host and port, in words."""


async def _taken(request: Request) -> Response:
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return PlainTextResponse(f"{request.method} {size} {digest.hexdigest()}", 201, {"ETag": '"one"'})


async def _given(request: Request) -> Response:
    if request.headers.get("if-none-match") == '"one"':
        return Response(status_code=304, headers={"ETag": '"one"'})
    return Response(BODY, media_type="application/octet-stream", headers={"ETag": '"one"'})


async def _streamed(_: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 70_000):
            yield BODY[start : start + 70_000]

    return StreamingResponse(pieces())


async def _said(wire: WebSocket) -> None:
    await wire.accept()
    async for said in wire.iter_bytes():
        await wire.send_bytes(said[::-1])


_ROUTES = [
    Route("/given", _given, methods=["GET", "HEAD"]),
    Route("/taken", _taken, methods=["POST", "PUT"]),
    Route("/streamed", _streamed),
    WebSocketRoute("/said", _said),
]


@contextlib.contextmanager
def service() -> Iterator[tuple[str, int]]:
    """The service, under uvicorn, where it listens."""
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=_ROUTES), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield "127.0.0.1", server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def _lines(*answers: Any) -> str:
    """Status, headers that do not tell the time, and the digest of the body."""
    said = []
    for status, headers, body in answers:
        kept = sorted(f"{name.lower()}: {value}" for name, value in headers.items() if name.lower() != "date")
        said.append(f"{status} {kept} {hashlib.sha256(body).hexdigest()}")
    return "\n".join(said)


def _curl(*options: str) -> Client:
    def ask(host: str, port: int) -> str:
        with tempfile.TemporaryDirectory() as folder:
            upload = Path(folder) / "upload"
            upload.write_bytes(BODY)
            words = [word.format(upload=upload, url=f"http://{host}:{port}") for word in options]
            command = ["curl", "-sS", "-i", "--no-progress-meter", "--max-time", "120", *words]
            done = subprocess.run(command, capture_output=True, check=False)
        lines = [line for line in done.stdout.split(b"\r\n") if not line.lower().startswith(b"date:")]
        return f"{done.returncode} {done.stderr!r} {hashlib.sha256(b'|'.join(lines)).hexdigest()}"

    return ask


def _httpx(host: str, port: int) -> str:
    with httpx.Client(base_url=f"http://{host}:{port}", timeout=120, trust_env=False) as client:
        answers = [
            client.get("/given"),
            client.head("/given"),
            client.get("/given", headers={"If-None-Match": '"one"'}),
            client.put("/taken", content=BODY),
            client.post("/taken", content=iter([BODY[:1000], BODY[1000:]])),
            client.get("/streamed"),
            client.get("/none"),
        ]
        return _lines(*[(each.status_code, each.headers, each.content) for each in answers])


def _requests(host: str, port: int) -> str:
    with requests.Session() as session:
        session.trust_env = False
        base = f"http://{host}:{port}"
        answers = [
            session.get(f"{base}/given", timeout=120),
            session.put(f"{base}/taken", data=BODY, timeout=120),
            session.post(f"{base}/taken", data=iter([b"a", b"b" * 99_999]), timeout=120),
            session.get(f"{base}/streamed", timeout=120),
        ]
        return _lines(*[(each.status_code, each.headers, each.content) for each in answers])


def _urllib3(host: str, port: int) -> str:
    with urllib3.HTTPConnectionPool(host, port, maxsize=1, block=True) as pool:
        answers = [pool.request("GET", "/streamed"), pool.request("POST", "/taken", body=BODY)] * 3
        return f"{pool.num_connections} " + _lines(*[(each.status, each.headers, each.data) for each in answers])


def _websocket(host: str, port: int) -> str:
    with connect(f"ws://{host}:{port}/said", max_size=None, proxy=None) as wire:
        said = []
        for data in (b"ab", BODY[:900_000], b""):
            wire.send(data)
            answer = wire.recv(120)
            assert isinstance(answer, bytes)
            said.append(hashlib.sha256(answer).hexdigest())
        wire.close(1000, "enough")
        return f"{said} {wire.close_code} {wire.close_reason}"


CLIENTS: dict[str, Client] = {
    "curl GET": _curl("{url}/given"),
    "curl HEAD": _curl("-I", "{url}/given"),
    "curl PUT, waiting for 100": _curl("-T", "{upload}", "{url}/taken"),
    "curl POST in chunks": _curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@{upload}", "{url}/taken"),
    "curl, HTTP/1.0": _curl("--http1.0", "{url}/streamed"),
    "curl, two of one connection": _curl("{url}/streamed", "{url}/given"),
    "httpx": _httpx,
    "requests": _requests,
    "urllib3, one connection": _urllib3,
    "websockets": _websocket,
}
