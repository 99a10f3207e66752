"""Connections through a proxy route break after a number of bytes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.proxy.route_fault import TransferFault
from chaosday.model.fault import Reading
from chaosday.model.target import Route


class ProxyLimitData(TransferFault):
    """Resets a connection once so many bytes have passed in a hurt direction: in the middle of a message."""

    kind: Literal["network.proxy.limit_data"] = "network.proxy.limit_data"
    limit_bytes: int = Field(default=1024, ge=0, le=1_000_000_000)
    """How many bytes pass, counted from the fault's start."""

    def toxic(self) -> dict[str, Any]:
        """The meter."""
        return {"kind": "limit_data", "limit_bytes": self.limit_bytes}

    def measure(self, route: Route) -> Reading:
        """The share of a little more than the limit that arrives."""
        came = self.transfers(route, self.limit_bytes + 1024, 0)
        return Reading(value=max(each.share for each in came), unit="share of the bytes received", by=self.by)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """All of it arrived before, less than all of it now."""
        bit = baseline.value == 1 and during.value < 1
        more = self.limit_bytes + 1024
        return bit, f"of {more} bytes {baseline.value * more:.0f} arrived, and {during.value * more:.0f} arrive now"
