"""The proxy's process: listeners for its routes, and a control socket that only its owner may open.

Control is one JSON object a line, over a Unix socket: ``{"do": "add_route", "route": "s3",
"upstream": "http://127.0.0.1:8333"}`` -> ``{"listen": "127.0.0.1:40123"}``. An error is
``{"error": words, "type": name}``.
"""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from chaosday.errors import ChaosdayError, LeaseError, UnknownName
from chaosday.mechanisms.http_proxy.relay import Relay
from chaosday.mechanisms.http_proxy.routes import Route, Upstream
from chaosday.mechanisms.http_proxy.rule import Rule
from chaosday.model.lease import Lease

MAX_LINE_BYTES = 1 << 20


class ProxyServer:
    """Routes by name, each with a listener, and what may be asked of them through the control socket."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._listeners: list[socketserver.ThreadingTCPServer] = []
        self.over = threading.Event()
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

    def close(self) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()

    def _route(self, said: dict[str, Any]) -> Route:
        name = said["route"]
        if name not in self._routes:
            raise UnknownName(f"the proxy has no route {name!r}; it has {', '.join(self._routes) or 'none'}")
        return self._routes[name]

    def _add_route(self, said: dict[str, Any]) -> dict[str, str]:
        name = str(said["route"])
        if name in self._routes:
            raise LeaseError(f"a route called {name!r} is there already")
        route = Route(name, Upstream.of(str(said["upstream"]), str(said.get("authority_file", ""))))
        host, _, port = str(said.get("listen", "127.0.0.1:0")).rpartition(":")

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                Relay(route, self.request).serve()

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 512

            def shutdown_request(self, request: Any) -> None:
                request.close()  # an orderly shutdown() here would hide the resets that a rule asked for

        try:
            listener = Listener((host, int(port)), Connection)
        except OSError as error:
            raise LeaseError(f"route {name}: cannot listen on {host}:{port}: {error.strerror}") from None
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
        route.listen = f"{host}:{listener.server_address[1]}"
        self._routes[name] = route
        self._listeners.append(listener)
        return {"listen": route.listen}


def control(server: ProxyServer, path: Path) -> socketserver.ThreadingUnixStreamServer:
    """Serve the control socket at ``path``, readable and writable by its owner only."""

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline(MAX_LINE_BYTES):
                self.wfile.write(server.answer(line) + b"\n")

    class Control(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listener = Control(str(path), Conversation)
    finally:
        os.umask(before)
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
    return listener


def serve(path: Path, *, lifeline: bool) -> None:
    """Run until told to stop, or, with ``lifeline``, until standard input closes: whoever started us has died."""
    server = ProxyServer()
    listener = control(server, path)
    if lifeline:
        threading.Thread(target=_wait_for_end, args=(server.over,), daemon=True).start()
    print("ready", flush=True)
    server.over.wait()
    listener.shutdown()
    path.unlink(missing_ok=True)
    os._exit(0)  # connections in flight end here; their threads wait on sockets and would keep us


def _wait_for_end(over: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    over.set()
