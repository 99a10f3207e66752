"""The proxy's process: listeners for its routes, and a control socket that only its owner may open.

Control is one JSON object a line, over a Unix socket: ``{"do": "add_route", "route": "s3",
"upstream": "http://127.0.0.1:8333"}`` -> ``{"listen": "127.0.0.1:40123"}``. An error is
``{"error": words, "type": name}``. All of it runs on one event loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from chaosday.errors import ChaosdayError, LeaseError, UnknownName
from chaosday.mechanisms.http_proxy.relay import Relay
from chaosday.mechanisms.http_proxy.routes import Route, Upstream
from chaosday.mechanisms.http_proxy.rule import Rule
from chaosday.mechanisms.http_proxy.tls import Front
from chaosday.mechanisms.http_proxy.wire import Wire
from chaosday.mechanisms.proxy.addresses import address, joined
from chaosday.mechanisms.proxy.sockets import Acceptor, at_most_connections, bound
from chaosday.model.lease import Lease

MAX_LINE_BYTES = 1 << 20


class ProxyServer:
    """Routes by name, each with a listener, and what may be asked of them through the control socket."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._listeners: list[Acceptor] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._at_most = at_most_connections()
        self.over = asyncio.Event()
        self._verbs: dict[str, Callable[[dict[str, Any]], Any]] = {
            "add_route": self._add_route,
            "routes": lambda _: {route.name: [route.listen, route.upstream.url] for route in self._routes.values()},
            "arm": lambda said: self._route(said).arm(Lease.model_validate(said["lease"])),
            "renew": lambda said: self._route(said).renew(said["id"], float(said["ttl_s"])),
            "add": lambda said: self._route(said).add(said["id"], Rule.model_validate(said["rule"])),
            "heal": lambda said: self._route(said).heal(said["id"]),
            "residue": lambda said: self._route(said).residue(said["id"]),
            "leases": lambda said: [state.model_dump(mode="json") for state in self._route(said).leases()],
            "ticket": lambda said: self._route(said).tickets.give(float(said["lasts_s"])),
            "counts": lambda said: self._route(said).counts(said["id"]),
            "room": lambda _: {"connections": len(self._serving), "at_most": self._at_most},
            "stop": lambda _: self.over.set(),
        }

    def answer(self, line: bytes) -> bytes:
        """Do what one control line says."""
        try:
            said = orjson.loads(line)
            verb = self._verbs.get(said["do"])
            if verb is None:
                raise UnknownName(f"the proxy has no verb {said['do']!r}")
            return orjson.dumps({"ok": verb(said)})
        except ChaosdayError as error:
            return orjson.dumps({"error": str(error), "type": type(error).__name__})
        except (KeyError, TypeError, ValueError) as error:
            return orjson.dumps(
                {"error": f"not understood: {' '.join(str(error).split())[:200]}", "type": "LeaseError"}
            )

    def _route(self, said: dict[str, Any]) -> Route:
        name = said["route"]
        if name not in self._routes:
            raise UnknownName(f"the proxy has no route {name!r}; it has {', '.join(self._routes) or 'none'}")
        return self._routes[name]

    def _add_route(self, said: dict[str, Any]) -> dict[str, str]:
        name = str(said["route"])
        if name in self._routes:
            raise LeaseError(f"a route called {name!r} is there already")
        upstream = Upstream.of(str(said["upstream"]), str(said.get("authority_file", "")))
        certificate, key = str(said.get("certificate_file", "")), str(said.get("key_file", ""))
        front = Front(certificate, key or certificate) if certificate else None
        host, port = address(str(said.get("listen", "127.0.0.1:0")))
        try:
            if front is not None:
                front.context(())
            if upstream.tls:
                upstream.context(())
        except (OSError, ssl.SSLError) as error:
            raise LeaseError(f"route {name}: its certificate, key or authority cannot be used: {error}") from None
        route = Route(name, upstream, front)
        try:
            sockets = bound(host, port)
            listener = Acceptor(sockets, lambda client: self._taken(route, client), self._full)
        except OSError as error:
            raise LeaseError(f"route {name}: cannot listen on {joined(host, port)}: {error.strerror}") from None
        route.listen = joined(host, sockets[0].getsockname()[1])
        self._routes[name] = route
        self._listeners.append(listener)
        return {"listen": route.listen}

    def _full(self) -> bool:
        return len(self._serving) >= self._at_most

    def _taken(self, route: Route, client: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(Relay(route, Wire(client)).serve())
        self._serving.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # The other connections are none of its business.
            print(f"chaosday http-proxy: a connection ended by {error!r}", file=sys.stderr, flush=True)


async def _control(server: ProxyServer, path: Path) -> asyncio.Server:
    """Serve the control socket at ``path``, readable and writable by its owner only."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                writer.write(server.answer(line) + b"\n")
                await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(converse, str(path), limit=MAX_LINE_BYTES)
    finally:
        os.umask(before)


def serve(path: Path, *, lifeline: bool) -> None:
    """Run until told to stop, or, with ``lifeline``, until standard input closes: whoever started us has died."""
    asyncio.run(_serve(path, lifeline=lifeline))


async def _serve(path: Path, *, lifeline: bool) -> None:
    server = ProxyServer()
    listener = await _control(server, path)
    if lifeline:
        os.set_blocking(0, False)
        asyncio.get_running_loop().add_reader(0, _look, server.over)
    print("ready", flush=True)
    await server.over.wait()
    listener.close()
    path.unlink(missing_ok=True)
    os._exit(0)  # connections in flight end here


def _look(over: asyncio.Event) -> None:
    with suppress(BlockingIOError):
        if not os.read(0, 4096):
            over.set()
