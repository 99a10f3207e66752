"""The proxy's control: one JSON object a line over loopback TCP, each with the token of the state file.

Leases live here, on the loop's own clock: a toxic cannot begin without one, and ends with it, whoever is left.
The proxy itself ends with its owner (the pipe on its standard input) or, where it was given a lease of its own,
when that is not renewed; with it ends everything that it does to anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaosday.mechanisms.proxy.addresses import checked
from chaosday.mechanisms.proxy.serving import ServedRoute
from chaosday.mechanisms.proxy.sockets import at_most_connections
from chaosday.mechanisms.proxy.toxic import toxic
from chaosday.mechanisms.proxy.urgent import UrgentWatch


class Declined(Exception):
    """A request that cannot be met; ``args`` are the error's kind and its words."""


@dataclass
class _Lease:
    id: str
    run: str
    fault: str
    due: float
    timer: asyncio.TimerHandle | None = None


class ProxyServer:
    """Routes, leases and the control port."""

    def __init__(self, state_file: Path, *, own_lease_s: float = 0) -> None:
        self._state_file = state_file
        self._token = secrets.token_hex(16)
        self._routes: dict[str, ServedRoute] = {}
        self._leases: dict[str, _Lease] = {}
        self._own_lease_s = own_lease_s
        self._own_timer: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._urgent = UrgentWatch()
        self._at_most = at_most_connections()

    async def start(self) -> None:
        """Listen for control, and say where in the state file, which only this user may read."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        fresh = self._state_file.with_name(f"{self._state_file.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"host": "127.0.0.1", "port": port, "token": self._token, "pid": os.getpid()}, file)
        fresh.replace(self._state_file)
        self._renew_own()

    async def run(self) -> None:
        """Serve until told to stop; takes the state file away at the end."""
        await self._over.wait()
        for route in self._routes.values():
            route.close()
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError, ValueError):
            if json.loads(self._state_file.read_text()).get("token") == self._token:
                self._state_file.unlink()

    def stop(self) -> None:
        """End ``run``."""
        self._over.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            token, verb = str(asked.pop("token", "")), str(asked.pop("verb", ""))
        except (ValueError, AttributeError):
            return {"error": "usage", "words": "not a JSON object"}
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return {"error": "denied", "words": "the proxy's token was not given or is not the right one"}
        act: Callable[..., Any] | None = getattr(self, f"_do_{verb}", None)
        if act is None:
            return {"error": "usage", "words": f"no verb {verb!r}"}
        self._renew_own()
        try:
            said = act(**asked)
            return {"result": await said if asyncio.iscoroutine(said) else said}
        except Declined as error:
            return {"error": error.args[0], "words": error.args[1]}
        except (TypeError, ValueError, OSError) as error:
            return {"error": "usage", "words": str(error)}

    def _do_ping(self) -> str:
        return "pong"

    def _do_room(self) -> dict[str, int]:
        return {"connections": sum(route.connections for route in self._routes.values()), "at_most": self._at_most}

    def _do_stop(self) -> str:
        # After the answer, so that whoever asked learns of it.
        asyncio.get_running_loop().call_later(0.01, self.stop)
        return "stopping"

    def _do_add_route(self, name: str, listen: list[Any], upstream: list[Any]) -> dict[str, Any]:
        """A route of that name that is there already is taken as it is: repointed, it stays so."""
        if name not in self._routes:
            leads = (checked(str(upstream[0])), int(upstream[1]))
            route = ServedRoute(name, leads, self._urgent, self._full)
            route.listen(str(listen[0]), int(listen[1]))
            self._routes[name] = route
        return self._routes[name].reading()

    def _do_remove_route(self, name: str) -> None:
        self._route(name).close()
        del self._routes[name]

    def _do_repoint(self, route: str, upstream: list[Any]) -> None:
        self._route(route).repoint((checked(str(upstream[0])), int(upstream[1])))

    def _do_divert(self, route: str, port: int, upstream: list[Any]) -> None:
        self._route(route).divert(port, (str(upstream[0]), int(upstream[1])))

    def _do_routes(self) -> list[dict[str, Any]]:
        return [route.reading() for route in self._routes.values()]

    def _do_route(self, route: str) -> dict[str, Any]:
        return self._route(route).reading()

    def _do_arm(self, lease_id: str, run: str, fault: str, ttl_s: float) -> None:
        if lease_id in self._leases:
            raise Declined("lease", f"lease {lease_id} is already armed; heal it first")
        self._leases[lease_id] = self._timed(_Lease(lease_id, run, fault, 0), ttl_s)

    def _do_renew(self, lease_id: str, ttl_s: float) -> None:
        self._timed(self._lease(lease_id), ttl_s)

    def _do_heal(self, lease_id: str) -> None:
        lease = self._leases.pop(lease_id, None)
        if lease is not None and lease.timer is not None:
            lease.timer.cancel()
        for route in self._routes.values():
            route.remove(lease_id)

    def _do_leases(self) -> list[dict[str, Any]]:
        now = asyncio.get_running_loop().time()
        return [
            {"id": lease.id, "run": lease.run, "fault": lease.fault, "remaining_s": lease.due - now}
            for lease in self._leases.values()
        ]

    def _do_residue(self, lease_id: str) -> list[str]:
        found = [f"lease {lease_id} is still armed in the proxy"] if lease_id in self._leases else []
        for route in self._routes.values():
            found += [f"a toxic on route {route.name}" for mark in route.lease_ids() if mark == lease_id]
        return found

    def _do_inject(self, route: str, lease_id: str, toxic_spec: dict[str, Any]) -> None:
        self._lease(lease_id)
        self._route(route).add(lease_id, toxic(toxic_spec), toxic_spec)

    def _timed(self, lease: _Lease, ttl_s: float) -> _Lease:
        loop = asyncio.get_running_loop()
        if lease.timer is not None:
            lease.timer.cancel()
        lease.due = loop.time() + ttl_s
        lease.timer = loop.call_at(lease.due, self._do_heal, lease.id)
        return lease

    def _lease(self, lease_id: str) -> _Lease:
        if lease_id not in self._leases:
            raise Declined("lease", f"lease {lease_id} is gone: it fired, was healed, or was never armed")
        return self._leases[lease_id]

    def _route(self, name: str) -> ServedRoute:
        if name not in self._routes:
            raise Declined("usage", f"the proxy has no route {name!r}; it has {', '.join(self._routes) or 'none'}")
        return self._routes[name]

    def _full(self) -> bool:
        return sum(route.connections for route in self._routes.values()) >= self._at_most

    def _renew_own(self) -> None:
        if self._own_timer is not None:
            self._own_timer.cancel()
        if self._own_lease_s:
            self._own_timer = asyncio.get_running_loop().call_later(self._own_lease_s, self.stop)
