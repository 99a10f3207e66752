"""The door before Prefect's server: ``uvicorn --factory flows.door:app``, told on standard input who may come in.

Prefect asks for the login itself. What it leaves open is closed here: a page of somebody else's in the browser of
whoever is logged in (``Origin``), a name of somebody else's that leads to our address (``Host``), a frame around it.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psutil

from chaosday.mechanisms.proxy.addresses import joined
from flows.login import Login, settle, take_ticket

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LOGIN_PATH = "/chaosday/login"
TICKET, REPORTS_TICKET = "prefect", "reports"
HTTP_PORT = 80
EVERYWHERE = ("0.0.0.0", "::", "")
LOGIN_POLICY = "default-src 'none'; script-src 'unsafe-inline'; connect-src 'self'"
USED_UP = "this link was good once; chaosday serve prints a new one when it starts"


@dataclass(frozen=True)
class Door:
    """What a server is told: the login, its names (``host:port``), and where a browser goes on to."""

    words: str = field(repr=False)
    names: list[str]
    folder: str = ""
    onward: str = ""

    def line(self) -> bytes:
        """For the standard input of the server."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def told(cls) -> Door:
        """What our parent said."""
        return cls(**json.loads(sys.stdin.readline()))

    def refuses(self, hosts: list[str], origins: list[str]) -> str:
        """Why a request with these headers is not answered, or nothing."""
        if len(hosts) != 1 or hosts[0].lower() not in self.names:
            return "this server is not called so: a name that leads here is not always ours"
        if any(origin.lower() not in self.origins for origin in origins):
            return "a page from elsewhere asks, and only our own may"
        return ""

    @property
    def origins(self) -> list[str]:
        """Where our own pages are, as a browser says it."""
        return [f"http://{name}" for name in self.names]

    def takes(self, name: str, query: str) -> bool:
        """Whether a query brings the ticket of that name, which is used up by that."""
        return take_ticket(Path(self.folder), name, parse_qs(query).get("ticket", [""])[0])


def names_of(host: str, port: int) -> list[str]:
    """What a server that listens on ``host`` is called in the requests of its own clients."""
    names = {host.strip("[]").lower()}
    if is_loopback(host):
        names |= {"localhost", "127.0.0.1", "::1"}
    if host in EVERYWHERE:
        addresses = [each.address for card in psutil.net_if_addrs().values() for each in card]
        names = {"localhost", socket.gethostname().lower(), socket.getfqdn().lower(), *addresses}
    called = {joined(name, port) for name in names}
    if port == HTTP_PORT:
        # What goes without saying is not said.
        called |= {name.removesuffix(f":{port}") for name in called}
    return sorted(called)


def is_loopback(host: str) -> bool:
    """Whether only this machine's users can reach what listens there."""
    return host.lower() == "localhost" or host.strip("[]") == "::1" or host.startswith("127.")


class Guarded:
    """An ASGI application behind a door."""

    def __init__(self, app: App, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        hosts, origins = (
            [v.decode("latin-1") for n, v in scope["headers"] if n == name] for name in (b"host", b"origin")
        )
        why = self._door.refuses(hosts, origins)
        if scope["type"] == "websocket":
            await (_closed(receive, send) if why else self._app(scope, receive, send))
        elif why:
            await _page(send, 403, why)
        elif scope["path"] == LOGIN_PATH and scope["method"] == "GET":
            await self._log_in(scope, send)
        else:
            await self._app(scope, receive, _unframed(send))

    async def _log_in(self, scope: MutableMapping[str, Any], send: Send) -> None:
        if not self._door.takes(TICKET, scope["query_string"].decode("latin-1")):
            await _page(send, 403, USED_UP)
            return
        kept = f"localStorage.setItem('prefect-password', btoa({script(self._door.words)}))"
        onward = self._door.onward + Login(Path(self._door.folder), self._door.words).ticket(REPORTS_TICKET)
        await _page(send, 200, page(f"{kept}; location.replace({script(onward)})"))


def script(text: str) -> str:
    """A string of JavaScript within a page."""
    return json.dumps(text).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def page(program: str) -> str:
    """A page that runs a program and shows nothing."""
    return f"<!doctype html><title>chaosday</title><script>{program}</script>"


async def _page(send: Send, status: int, body: str) -> None:
    data = body.encode()
    headers = {
        "content-type": "text/html; charset=utf-8" if status == 200 else "text/plain; charset=utf-8",
        "content-length": str(len(data)),
        "content-security-policy": LOGIN_POLICY,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": data})


async def _closed(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})


def _unframed(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), (b"x-frame-options", b"DENY")]
        await send(message)

    return sending


def app() -> Guarded:
    """Prefect's server behind the door that our parent describes."""
    from prefect import settings
    from prefect.server.api.server import create_app

    door = Door.told()
    own = {
        settings.PREFECT_SERVER_API_AUTH_STRING: door.words,
        settings.PREFECT_SERVER_CORS_ALLOWED_ORIGINS: ",".join(door.origins),
    }
    settle(own)
    return Guarded(create_app(final=True), door)
