"""Faults that hit what they say, their undo, and proxies that ordinary traffic does not notice."""

from __future__ import annotations

from typing import Any

from benchmarks import _bites, _idle_proxies, _watchdog_heals
from benchmarks.hosts import fanout
from tests.lab import machine

FANOUT_HOSTS = 200


def run(quick: bool) -> dict[str, Any]:
    """All figures; ``quick`` takes fewer samples of the same."""
    hosts = {} if machine.why_no_lab() else fanout(FANOUT_HOSTS)
    hosts = {name: value for name, value in hosts.items() if name in ("fanout_hosts", "fanout_ratio", "fanout_failed")}
    return {**_bites.figures(quick), **_idle_proxies.figures(quick), **_watchdog_heals.figures(quick), **hosts}
