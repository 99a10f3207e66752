"""A way through the user-space fault proxy."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr

from chaosday.errors import TargetUnreachable, UsageError
from chaosday.mechanisms.proxy import client as proxy
from chaosday.mechanisms.proxy.addresses import address, joined
from chaosday.mechanisms.proxy.probing import answer_time, any_reset, refused, transfer
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Route, Target, Transfer


class ProxyRoute(Target):
    """Clients connect to ``listen``; the proxy leads them to ``upstream``, and can hurt them on the way.

    With ``control`` the route is made (or found) in that proxy. Without it a proxy of our own is started
    when the route is first used, and ends with this process.
    """

    kind: Literal["proxy_route"] = "proxy_route"
    route: str = ""
    """Its name in the proxy; empty is its upstream address."""
    listen: str = "127.0.0.1:0"
    """Where clients connect, host:port; port 0 takes any free one."""
    upstream: str = "127.0.0.1:5432"
    """Where it leads, host:port."""
    control: str = ""
    """The state file of a proxy that runs; empty starts one."""
    hello_hex: str = Field(default="", pattern=r"^([0-9a-fA-F]{2})*$")
    """Bytes to which the server answers, for measuring; empty measures how soon it closes when we do."""

    _stands: list[socket.socket] = PrivateAttr(default_factory=list)
    _own: list[proxy.ProxyProcess] = PrivateAttr(default_factory=list)

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Route and LeaseHolder."""
        return {Route: self, LeaseHolder: proxy.ProxyLeases(lambda: self._client)}

    def reach(self) -> str:
        """Ask the proxy for the route, and the server for an answer through it."""
        host, port = self.address()
        waited = self.probe(5)
        if waited is None:
            raise TargetUnreachable(f"no answer from {self.upstream} through {host}:{port} within 5 s")
        return f"{host}:{port} leads to {self.upstream}, which answered in {waited * 1000:.1f} ms"

    def fences(self, affected: Sequence[str]) -> list[str]:
        """A route of a proxy of our own is nobody else's; one of a shared proxy is held by its name."""
        return [f"proxy_route {self.control} {self._name}"] if self.control else []

    def public(self) -> dict[str, Any]:
        """The fields, with the addresses that were really taken: enough for another process to find it."""
        listen = joined(*self.address())
        return {**super().public(), "route": self._name, "listen": listen, "control": str(self._client.state_file)}

    def close(self) -> None:
        """Let go of our connections, and end a proxy of our own."""
        self._leave()
        while self._own:
            self._own.pop().close()
        self.__dict__.pop("_client", None)
        self.__dict__.pop("_address", None)

    def address(self) -> tuple[str, int]:
        """Where clients connect."""
        return self._address

    def repoint(self, host: str, port: int) -> None:
        """Lead new connections elsewhere, and reset those there are."""
        self._ready.call("repoint", route=self._name, upstream=[host, port])

    def inject(self, lease_id: str, toxic: Mapping[str, Any]) -> None:
        """Begin a toxic under an armed lease."""
        self._ready.call("inject", route=self._name, lease_id=lease_id, toxic_spec=dict(toxic))

    def counters(self) -> dict[str, Any]:
        """The route in numbers; no toxics and no counts where the proxy has ended."""
        try:
            return dict(proxy.route_reading(self._client, self._name))
        except proxy.ProxyGone:
            return {"toxics": [], "ended": True}

    def probe(self, timeout_s: float) -> float | None:
        """Seconds that a client of ours waits for the server's answer."""
        return answer_time(self.address(), bytes.fromhex(self.hello_hex), timeout_s)

    def transfer(self, direction: str, size_bytes: int, timeout_s: float) -> Transfer:
        """Known bytes through the route, to or from an answerer of ours."""

        def divert(port: int, answerer: tuple[str, int]) -> None:
            self._ready.call("divert", route=self._name, port=port, upstream=list(answerer))

        return transfer(self.address(), divert, direction, size_bytes, timeout_s)

    def refuses(self) -> bool:
        """Whether nobody listens."""
        return refused(self.address())

    def stand(self, count: int = 1) -> None:
        """Place connections of ours in the route, led to the server, that say nothing."""
        self._leave()
        wanted = self.counters().get("accepted", 0) + count
        self._stands += [socket.create_connection(self.address(), 5) for _ in range(count)]
        # The kernel accepts before the proxy does; a connection that it has not seen is not yet one of the route's.
        until = time.monotonic() + 5
        while self.counters().get("accepted", 0) < wanted:
            if time.monotonic() > until:
                raise TargetUnreachable(f"the proxy of route {self._name} accepts no connections")
            time.sleep(0.005)

    def standing_was_reset(self, timeout_s: float) -> bool:
        """Whether one of them is reset within ``timeout_s``; they are taken away afterwards."""
        found = any_reset(self._stands, timeout_s)
        self._leave()
        return found

    def _leave(self) -> None:
        while self._stands:
            self._stands.pop().close()

    @property
    def _name(self) -> str:
        return self.route or self.upstream

    @property
    def _ready(self) -> proxy.ProxyClient:
        """The proxy, with the route made in it."""
        self.address()
        return self._client

    @cached_property
    def _client(self) -> proxy.ProxyClient:
        if self.control:
            return proxy.ProxyClient(self.control)
        directory = Path(tempfile.mkdtemp(prefix="chaosday-proxy-"))
        self._own.append(proxy.ProxyProcess.start(directory / "proxy.json", tidy=True))
        return self._own[-1].client

    @cached_property
    def _address(self) -> tuple[str, int]:
        listen, upstream = address(self.listen), address(self.upstream)
        if upstream[1] == 0:
            raise UsageError(f"upstream {self.upstream!r} of a proxy_route needs a port")
        made = self._client.call("add_route", name=self._name, listen=list(listen), upstream=list(upstream))
        return address(made["listen"])
