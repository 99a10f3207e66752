"""Calls on files take long."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.disks.storage import StorageFault
from chaosday.mechanisms.dose import overdose

Call = Literal["open", "create", "read", "write", "fsync"]


class StorageLatency(StorageFault):
    """Make ``percent`` of the chosen calls ``delay_ms`` later."""

    kind: Literal["storage.latency"] = "storage.latency"
    calls: list[Call] = ["fsync"]
    delay_ms: float = Field(default=50, gt=0, le=60_000)

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "latency", "calls": self.calls, "delay_ms": self.delay_ms}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return max(said[f"{call}_ms"] for call in ("write", "fsync", "read")), "ms, the slowest kind of call"

    def least(self, said: dict[str, Any]) -> float:
        return float(max(said[f"{call}_least_ms"] for call in ("write", "fsync", "read")))

    def bites(self, baseline: Any, during: Any, data: dict[str, Any]) -> tuple[bool, str]:
        added = during.value - baseline.value
        words = f"asked {self.delay_ms:g} ms, added {added:.3g} ms to {baseline.value:.3g} ms"
        if too_much := overdose(baseline, during, self.delay_ms):
            return False, f"{words}; {too_much}"
        return added >= 0.9 * self.delay_ms * (self.percent >= 50) and added > 1, words
