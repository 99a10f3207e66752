"""Pieces that pass a proxy route arrive twice."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.proxy.route_fault import TransferFault, share_tries
from chaosday.model.fault import Reading
from chaosday.model.target import Route

_PIECE_BYTES = 512


class ProxyDuplicate(TransferFault):
    """Passes a share of the pieces on twice: what a broken middlebox or a careless relay does to a stream."""

    kind: Literal["network.proxy.duplicate"] = "network.proxy.duplicate"
    share: float = Field(default=0.1, gt=0, le=1)
    """Of the pieces: what one read of the proxy gave, up to 256 KiB."""

    def toxic(self) -> dict[str, Any]:
        """What copies them."""
        return {"kind": "duplicate", "share": self.share}

    def measure(self, route: Route) -> Reading:
        """The share of small transfers of ours of which more arrived than was sent."""
        came = [each for _ in range(share_tries(self.share)) for each in self.transfers(route, _PIECE_BYTES, 0)]
        more = sum(each.received_bytes > each.sent_bytes for each in came) / len(came)
        return Reading(value=more, unit="share of our own transfers with bytes too many", by=self.by)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """None before, some now."""
        bit = baseline.value == 0 and during.value > 0
        return bit, f"{baseline.value:.0%} of our own transfers had bytes too many before, {during.value:.0%} have now"
