"""A disk that answers late."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.disks.device_mapper import DeviceFault
from chaosday.mechanisms.dose import overdose
from chaosday.model.fault import Reading
from chaosday.model.target import Shell


class StorageDeviceDelay(DeviceFault):
    """Every read and write of a block device waits (device-mapper ``delay``), whoever asks."""

    kind: Literal["storage.device_delay"] = "storage.device_delay"
    dm_target: ClassVar[str] = "delay"
    read_ms: int = Field(default=100, ge=0, le=60_000)
    write_ms: int = Field(default=100, ge=0, le=60_000)

    def table(self, sectors: int, disk: str, offset: int) -> str:
        return f"0 {sectors} delay {disk} {offset} {self.read_ms} {disk} {offset} {self.write_ms}"

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        took = sorted(self.read_once(shell)[1] for _ in range(5))
        by = "median of five reads past the page cache"
        return Reading(value=round(took[2], 1), least=round(took[0], 1), unit="ms a read", by=by)

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        added = during.value - baseline.value
        words = f"asked {self.read_ms} ms a read, measured {added:.1f} more than before"
        if not self.read_ms:
            return False, "only writes are delayed, and they are not measured: give read_ms too"
        if too_much := overdose(baseline, during, self.read_ms):
            return False, f"{words}; {too_much}"
        return added >= 0.8 * self.read_ms, words
