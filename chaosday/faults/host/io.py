"""A disk is kept busy."""

from __future__ import annotations

from shlex import quote
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, Refused
from chaosday.mechanisms.hosts.filling import free_bytes
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.own_directory import OwnDirectory
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, UPTIME_NS, ask, passed_s
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.model.words import ABSOLUTE, said
from chaosday.processes import mark


class HostIo(ScriptFault):
    """Let ``workers`` read or write files of ``file_mb`` below ``path``, past the page cache, as fast as it goes."""

    kind: Literal["host.io"] = "host.io"
    path: str = Field(default="/var/tmp", pattern=ABSOLUTE)
    mode: Literal["read", "write"] = "write"
    workers: int = Field(default=2, ge=1, le=256)
    file_mb: int = Field(default=8, ge=1, le=10_240)

    tools = ("dd", "find", "setsid", "stat")

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        device = (
            f"d=$(stat -c %d {quote(self.path)}); "
            "awk -v d=$d '{ if (int(d / 256) == $1 && d % 256 == $2) print $3 }' /proc/diskstats"
        )
        answers = ask(shell, {"device": device, "free": free_bytes(self.path)})
        if not (answers["device"] and answers["free"].isdigit()):
            raise CapabilityMissing(
                f"{self.path} is not on a block device whose traffic can be read; choose another path"
            )
        if int(answers["free"]) < 2 * self.workers * self.file_mb * 2**20:
            raise Refused(
                f"{self.workers} files of {self.file_mb} MB would fill half of {self.path}; choose smaller ones"
            )
        device = said("block device", answers["device"], r"[A-Za-z0-9!_-]+")
        ours = OwnDirectory(self.path, context.lease_id)
        one = f"dd if=/dev/zero of=$n bs=1M count={self.file_mb} conv=notrunc"
        again = "dd if=$n of=/dev/null bs=1M iflag=direct" if self.mode == "read" else f"{one} oflag=direct"
        # Not every file system takes O_DIRECT (tmpfs did not until 6.6); there each file is synced instead.
        loop = f"{one} conv=notrunc,fsync; while :; do {again} || {one} conv=notrunc,fsync || sleep 0.1; done"
        many = f"for n in $(seq {self.workers}); do ({loop}) & done; wait"
        means = Means(
            mechanism=f"{self.workers} dd on {device}",
            inject=ours.make() + mark.start(context.lease_id, many),
            undo=mark.end(context.lease_id) + ours.take_away(),
            residue=mark.residue(context.lease_id) + ours.residue(),
        )
        names = f"cd {quote(self.path)} && ls -A | grep '^.chaosday-'"
        return Prepared(means, {"device": device}, {"ours": names})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        # /proc/diskstats: sectors of 512 bytes read (field 6) and written (field 10), whatever the disk's own size.
        field = 6 if self.mode == "read" else 10
        one = f"awk '$3 == \"{data['device']}\" {{ print ${field} }}' /proc/diskstats"
        script = f"{UPTIME_NS}; {one}; sleep 1; {UPTIME_NS}; {one}"
        t0, s0, t1, s1 = (int(word) for word in shell.run(PATH + script, sudo=True).out.split())
        return Reading(value=round((s1 - s0) * 512 / 1e6 / passed_s(t0, t1), 3), unit="MB/s", by="/proc/diskstats")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        words = f"{self.mode} {during.value:g} MB/s on {data['device']}, before {baseline.value:g} MB/s"
        return during.value > 1 + 2 * baseline.value, words
