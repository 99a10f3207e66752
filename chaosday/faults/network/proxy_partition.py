"""Nothing passes a proxy route; what was sent arrives when the partition ends."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.model.fault import Reading
from chaosday.model.target import Route
from chaosday.route_fault import RouteFault, answer


class ProxyPartition(RouteFault):
    """Holds what is sent and lets new connections hang; nothing is lost, and all of it comes late."""

    kind: Literal["network.proxy.partition"] = "network.proxy.partition"

    def toxic(self) -> dict[str, Any]:
        """The dam."""
        return {"kind": "partition"}

    def measure(self, route: Route) -> Reading:
        """Whether a client of ours gets an answer."""
        return answer(route, self.patience_s)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """Answered before, silent now."""
        bit = self.silent(during) and not self.silent(baseline)
        now = f"no answer in {during.value:.0f} ms" if self.silent(during) else f"an answer in {during.value:.1f} ms"
        return bit, f"a new client had an answer in {baseline.value:.1f} ms before, and has {now}"
