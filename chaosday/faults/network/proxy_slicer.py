"""Bytes through a proxy route arrive in small pieces."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.dose import overdose
from chaosday.mechanisms.proxy.route_fault import DelayingTransferFault
from chaosday.model.fault import Reading
from chaosday.model.target import Route

_PIECES = 20


class ProxySlicer(DelayingTransferFault):
    """Cuts what passes into pieces, one every ``delay_ms``: readers that take one read for one message break."""

    kind: Literal["network.proxy.slicer"] = "network.proxy.slicer"
    size_bytes: int = Field(default=64, ge=1, le=65_536)
    """How long a piece is."""
    variation_bytes: int = Field(default=0, ge=0, le=65_536)
    """More or less by up to so much, evenly spread."""
    delay_ms: float = Field(default=1, ge=0, le=10_000)
    """From one piece to the next, in milliseconds."""

    def toxic(self) -> dict[str, Any]:
        """The knife."""
        fields = ("size_bytes", "variation_bytes", "delay_ms")
        return {"kind": "slicer"} | {name: getattr(self, name) for name in fields}

    def measure(self, route: Route) -> Reading:
        """How long twenty pieces' worth take: a receiver that is slow to read sees several pieces as one."""
        came = self.transfers(route, _PIECES * self.size_bytes, _PIECES * self.delay_ms / 1000)
        least = min(each.seconds for each in came) * 1000
        return Reading(value=least, least=least, unit=f"ms for {_PIECES} pieces' worth of bytes", by=self.by)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """At least half the pauses that so many pieces make, and not many more than they do."""
        asked = (_PIECES - 1) * self.delay_ms
        smallest = max(1, self.size_bytes - self.variation_bytes)
        words = f"{_PIECES} pieces of {self.size_bytes} bytes took {baseline.value:.1f} ms, now {during.value:.1f}"
        if too_much := overdose(baseline, during, asked * self.size_bytes / smallest):
            return False, f"{words}; {too_much}"
        least = asked * self.size_bytes / (self.size_bytes + self.variation_bytes)
        return least > 0 and during.value - baseline.value >= least / 2, words
