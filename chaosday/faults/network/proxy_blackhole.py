"""Bytes through a proxy route vanish, and nobody is told."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.model.fault import Reading
from chaosday.model.target import Route
from chaosday.route_fault import RouteFault, answer


class ProxyBlackhole(RouteFault):
    """Discards what passes, without closing; when healed, connections that lost something are reset."""

    kind: Literal["network.proxy.blackhole"] = "network.proxy.blackhole"

    def toxic(self) -> dict[str, Any]:
        """The hole."""
        return {"kind": "blackhole"}

    def measure(self, route: Route) -> Reading:
        """Whether a client of ours gets an answer: any one direction cut keeps it away."""
        return answer(route, self.patience_s)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """Answered before, silent now."""
        bit = self.silent(during) and not self.silent(baseline)
        now = f"no answer in {during.value:.0f} ms" if self.silent(during) else f"an answer in {during.value:.1f} ms"
        return bit, f"a new client had an answer in {baseline.value:.1f} ms before, and has {now}"
