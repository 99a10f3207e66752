"""A file system runs full, of bytes or of inodes."""

from __future__ import annotations

from shlex import quote
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, Refused
from chaosday.mechanisms.hosts.filling import fill, free_bytes
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.own_directory import OwnDirectory
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.model.words import ABSOLUTE


class HostDiskFill(ScriptFault):
    """Take ``size_mb``, or ``percent`` of what is free, below ``path``, but never the last ``reserve_mb``.

    A hundred per cent is all but the reserve. It is measured again while it fills, so that what others write meanwhile
    counts, and on a file system in memory (tmpfs) what is free is the memory. With ``what`` "inodes" it is ``percent``
    of the free inodes, in empty files.
    """

    kind: Literal["host.disk_fill"] = "host.disk_fill"
    path: str = Field(default="/var/tmp", pattern=ABSOLUTE)
    what: Literal["bytes", "inodes"] = "bytes"
    size_mb: float = Field(default=0, ge=0, description="0: by per cent")
    percent: float = Field(default=90, gt=0, le=100)
    reserve_mb: float = Field(default=64, ge=0)

    tools = ("fallocate", "truncate", "xargs", "seq", "find", "stat", "awk")
    inject_timeout_s = 600

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        measure = self._free() if self.what == "inodes" else free_bytes(self.path)
        answers = ask(shell, {"free": measure})
        if not answers["free"].isdigit():
            raise CapabilityMissing(f"{self.path} is not on a file system of the target that stat can read")
        free = int(answers["free"])
        ours = OwnDirectory(self.path, context.lease_id)
        if self.what == "inodes":
            asked = int(free * self.percent / 100)
            # The directory takes one itself, and the last may be gone by now: how many it got is measured.
            inject = f"{ours.make()}seq {asked} | xargs -n 2000 touch 2>/dev/null; [ -e 1 ]\n"
        else:
            reserve = round(self.reserve_mb * 2**20)
            asked = round(self.size_mb * 2**20) or int(max(0, free - reserve) * self.percent / 100)
            if not 0 < asked <= free - reserve:
                raise Refused(
                    f"{asked / 2**20:.0f} MB would leave less than reserve_mb ({self.reserve_mb:g}) "
                    f"of the {free / 2**20:.0f} MB free below {self.path}; ask for less"
                )
            inject = ours.make() + fill(self.path, asked, reserve)
        means = Means(
            mechanism=f"{'empty files' if self.what == 'inodes' else 'fallocate'} in {self.path}",
            inject=inject,
            undo=ours.take_away(),
            residue=ours.residue(),
        )
        names = f"cd {quote(self.path)} && ls -A | grep '^.chaosday-'"
        return Prepared(means, {"asked": asked}, {"ours": names})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        free = int(shell.run(PATH + self._free(), sudo=True).out)
        return Reading(value=free, unit=f"{self.what} free", by="statfs")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        asked, taken = int(data["asked"]), baseline.value - during.value
        words = f"asked {asked} {self.what}, taken {taken:.0f} of {baseline.value:.0f} that were free"
        return taken >= 0.8 * asked > 0, words

    def _free(self) -> str:
        if self.what == "inodes":
            return f"stat -f -c %d {quote(self.path)}\n"
        # One program that coreutils and busybox know alike; what df prints differs.
        return f"blocks=$(stat -f -c '%a * %S' {quote(self.path)}) && echo $(($blocks))\n"
