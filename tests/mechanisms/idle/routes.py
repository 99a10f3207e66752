"""Idle proxies, and the ways through them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.mechanisms.proxy.addresses import address
from chaosday.mechanisms.proxy.client import ProxyProcess
from tests.mechanisms.idle.compare import Leads

_numbers = itertools.count()


@contextlib.contextmanager
def http_proxy(folder: Path) -> Iterator[Leads]:
    """The HTTP proxy, without a rule."""
    with HttpProxyProcess.start(folder / "idle.sock") as proxy:
        yield lambda upstream: address(proxy.add_route(f"idle-{next(_numbers)}", f"http://{upstream}"))


@contextlib.contextmanager
def tcp_proxy(folder: Path) -> Iterator[Leads]:
    """The TCP proxy, without a toxic."""
    proxy = ProxyProcess.start(folder / "idle.json")

    def leads(upstream: str) -> tuple[str, int]:
        name, listen = f"idle-{next(_numbers)}", ["127.0.0.1", 0]
        made = proxy.client.call("add_route", name=name, listen=listen, upstream=list(address(upstream)))
        return address(made["listen"])

    try:
        yield leads
    finally:
        proxy.close()
