"""Bits turn on their way through a proxy route."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.proxy.route_fault import TransferFault, share_tries
from chaosday.model.fault import Reading
from chaosday.model.target import Route

_PIECE_BYTES = 512


class ProxyCorrupt(TransferFault):
    """Turns one bit in a share of the pieces that pass; TCP's checksum fits them, so that the application gets them."""

    kind: Literal["network.proxy.corrupt"] = "network.proxy.corrupt"
    share: float = Field(default=0.1, gt=0, le=1)
    """Of the pieces: what one read of the proxy gave, up to 256 KiB."""

    def toxic(self) -> dict[str, Any]:
        """What turns them."""
        return {"kind": "corrupt", "share": self.share}

    def measure(self, route: Route) -> Reading:
        """The share of small transfers of ours that arrived otherwise than they were sent."""
        came = [each for _ in range(share_tries(self.share)) for each in self.transfers(route, _PIECE_BYTES, 0)]
        hurt = sum(each.received_bytes > 0 and not each.intact for each in came) / len(came)
        return Reading(value=hurt, unit="share of our own transfers altered", by=self.by)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """None was altered before, some are now."""
        bit = baseline.value == 0 and during.value > 0
        return bit, f"{baseline.value:.0%} of our own transfers were altered before, {during.value:.0%} are now"
