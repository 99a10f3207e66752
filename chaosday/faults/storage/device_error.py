"""A disk that answers every request with an error."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.disks.device_mapper import DeviceFault, reading_of_errors
from chaosday.model.fault import Reading
from chaosday.model.target import Shell


class StorageDeviceError(DeviceFault):
    """Every read and write of a block device fails (device-mapper ``error``), as on a dead disk or a lost SAN path."""

    kind: Literal["storage.device_error"] = "storage.device_error"
    dm_target: ClassVar[str] = "error"

    def table(self, sectors: int, disk: str, offset: int) -> str:
        return f"0 {sectors} error"

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        return reading_of_errors(not self.read_once(shell)[0])

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        said = "failed" if during.value else "worked"
        return during.value > baseline.value, f"a read of the device {said}; before, it worked"
