"""A route of the HTTP fault proxy: where clients of a service or of an AWS-compatible endpoint go through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.client import HttpRules, RouteControl
from chaosday.mechanisms.http_proxy.web import Web
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target


class HttpRoute(Target):
    """A route by name, reached through the control socket of the proxy it belongs to.

    ``chaosday http-proxy --control SOCKET --route NAME=http://upstream`` starts such a proxy.
    """

    kind: Literal["http_route"] = "http_route"
    control: Path = Field(default=Path("http-proxy.sock"), description="The proxy's control socket")
    route: str = Field(default="default", description="Name of the route in that proxy")

    def capabilities(self) -> Mapping[type[Any], Any]:
        held = RouteControl(self.control, self.route)
        return {HttpRules: held, LeaseHolder: held, Web: held}

    def reach(self) -> str:
        held = RouteControl(self.control, self.route)
        return f"HTTP proxy route {self.route}: {held.listen()} -> {held.upstream()}"

    def listen(self) -> str:
        """``host:port`` where clients of the route connect."""
        return RouteControl(self.control, self.route).listen()
