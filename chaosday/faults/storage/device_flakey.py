"""A disk that says it has written, and has not."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.errors import UsageError
from chaosday.mechanisms.disks.device_mapper import DeviceFault
from chaosday.mechanisms.hosts.script_fault import Prepared
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell


class StorageDeviceFlakey(DeviceFault):
    """Writes of a block device are forgotten, or fail (device-mapper ``flakey``), while reads go on working.

    ``drop`` answers that all was written: the page cache hides it until the machine restarts. Its bite is read
    from a file of ours on the mounted file system.
    """

    kind: Literal["storage.device_flakey"] = "storage.device_flakey"
    dm_target: ClassVar[str] = "flakey"
    damaging: ClassVar[bool] = True
    writes: Literal["drop", "error"] = "drop"

    def table(self, sectors: int, disk: str, offset: int) -> str:
        # No seconds up, as many down as a run can last: hurt from the first moment to the last.
        return f"0 {sectors} flakey {disk} {offset} 0 86400 1 {self.writes}_writes"

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        prepared = super().prepare(shell, context)
        if not prepared.data["probe"]:
            raise UsageError(f"{self.device} is not mounted, so that lost writes could not be seen; mount it first")
        return prepared

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        lost = hurt and self.lost_write(shell, str(data["probe"]))
        return Reading(value=int(lost), unit="lost of one", by="a synced write, read past the page cache")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        return during.value > 0, f"a synced write of ours was {'lost' if during.value else 'kept'}"
