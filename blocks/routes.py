"""The blocks for the proxies that connections and requests can be led through."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.http_route import HttpRoute
from chaosday.targets.proxy_route import ProxyRoute


class ProxiedRoute(TargetBlock):
    """A TCP route: clients connect to ``listen``, the proxy leads them to ``upstream`` and can hurt them."""

    _model: ClassVar[type[Target]] = ProxyRoute
    _block_type_name = "chaosday TCP route"
    _block_type_slug = "chaosday-proxy-route"
    _description = "A TCP proxy of chaosday's before a service; nobody else's connections go through it."

    route: str = Field(default="", title="Name", description="Empty: its upstream address")
    listen: str = Field(default="127.0.0.1:0", description="Where clients connect; port 0 takes any free one")
    upstream: str = Field(default="127.0.0.1:5432", description="Where it leads, host:port")
    control: str = Field(default="", description="The state file of a proxy that runs; empty starts one")


class ProxiedRequests(TargetBlock):
    """A route of an HTTP proxy that was started with ``chaosday http-proxy``."""

    _model: ClassVar[type[Target]] = HttpRoute
    _block_type_name = "chaosday HTTP route"
    _block_type_slug = "chaosday-http-route"
    _description = "An HTTP proxy of chaosday's before a service or an AWS API."

    control: str = Field(default="http-proxy.sock", description="The proxy's control socket on the worker")
    route: str = Field(default="default", title="Name of the route in that proxy")
