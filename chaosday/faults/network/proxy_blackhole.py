"""Bytes through a proxy route vanish, and nobody is told."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.proxy.route_fault import SilencingFault


class ProxyBlackhole(SilencingFault):
    """Discards what passes, without closing; when healed, connections that lost something are reset."""

    kind: Literal["network.proxy.blackhole"] = "network.proxy.blackhole"

    def toxic(self) -> dict[str, Any]:
        """The hole."""
        return {"kind": "blackhole"}
