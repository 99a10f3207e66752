"""Nobody listens at a proxy route's address."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.proxy.route_fault import RouteFault
from chaosday.model.fault import Reading
from chaosday.model.target import Route


class ProxyDown(RouteFault):
    """Refuses new connections, as a stopped server does, and resets those there are.

    A refusal is a matter of the port, not of one connection: ``probability`` chooses only which of the
    connections there are get reset.
    """

    kind: Literal["network.proxy.down"] = "network.proxy.down"

    def toxic(self) -> dict[str, Any]:
        """The closed door."""
        return {"kind": "down"}

    def measure(self, route: Route) -> Reading:
        """Whether a client of ours is refused: 0 is let in, 1 is refused."""
        return Reading(value=float(route.refuses()), unit="connections refused", by="a client of ours")

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """Let in before, refused now."""
        bit = baseline.value == 0 and during.value == 1
        return bit, f"a new client {'was let in' if baseline.value == 0 else 'was refused'} before, and is " + (
            "refused" if during.value else "let in"
        )
