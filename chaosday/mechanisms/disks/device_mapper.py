"""What faults of a whole block device have in common: the table of a device-mapper device, changed and put back.

The device has to be one already (an LVM volume, or made with ``dmsetup create``) with a single linear line: a
table is changed under a mounted file system, a plain disk is not.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from shlex import quote
from typing import ClassVar

from pydantic import Field

from chaosday.errors import CapabilityMissing, ForeignState, ScratchMarkMissing, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.scratch import SCRATCH
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.model.words import DEVICE


class DeviceFault(ScriptFault):
    """Change the table of ``device`` (its name below /dev/mapper) while it is in use, and put its own back.

    A file system that met errors may have stopped taking writes (ext4: ``errors=remount-ro``). That is its own
    decision and is not undone: its mount options are compared, and the target is then not clean.
    """

    device: str = Field(default="", pattern=DEVICE, description="Name below /dev/mapper")

    tools: ClassVar[tuple[str, ...]] = ("dmsetup", "dd", "date")
    dm_target: ClassVar[str]
    damaging: ClassVar[bool] = False
    """Whether what is written meanwhile is lost for good: then only under a scratch mark."""

    @abstractmethod
    def table(self, sectors: int, disk: str, offset: int) -> str:
        """The line that hurts, for a device of so many sectors that lies on ``disk`` from ``offset`` on."""

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        if not self.device:
            raise UsageError(f"{self.kind} needs the name of a device below /dev/mapper")
        original, mounted = self._look(shell)
        _, sectors, _, disk, offset = original.split()
        hurting = self.table(int(sectors), disk, int(offset))
        probe = f"{mounted}/.chaosday-probe-{context.lease_id}" if mounted and self.damaging else ""
        name = self.device
        swap = f"dmsetup suspend --nolockfs {name} && echo '%s' | dmsetup load {name} && dmsetup resume {name}"
        same = f"[ \"$(dmsetup table {name})\" = '{original}' ]"
        awake = f'[ "$(dmsetup info -c --noheadings -o suspended {name})" = Active ]'
        means = Means(
            mechanism=f"device-mapper, {self.dm_target} in place of linear on {name}",
            inject=(f"{_write(probe, 'A')}\nsync\n" if probe else "") + f"{swap % hurting} || exit 1\n",
            undo=(
                # Killed between load and resume: what was loaded is thrown away before anything wakes it.
                f"dmsetup clear {name} || exit 1\n"
                f"{same} || {{ {swap % original}; }} || exit 1\n"
                f"{awake} || dmsetup resume {name} || exit 1\n" + (f"rm -f {quote(probe)}\n" if probe else "")
            ),
            residue=(
                f'{same} || echo "{name} has the table $(dmsetup table {name})"\n'
                f'{awake} || echo "{name} is suspended"\n'
            ),
        )
        data = {"probe": probe}
        dump = {"table": f"dmsetup table {name}", "mount": f"grep '^/dev/mapper/{name} ' /proc/self/mounts"}
        lasting = {"written": "what was written during the fault is lost, by design"} if self.damaging else {}
        return Prepared(means, data, dump, affected=(f"device {name} ({disk})",), lasting=lasting)

    def _look(self, shell: Shell) -> tuple[str, str]:
        """The device's one linear line, and where it is mounted (or nothing)."""
        name = self.device
        found = ask(
            shell,
            {
                "module": f"modprobe dm-{self.dm_target}; dmsetup targets | grep -q '^{self.dm_target} ' && echo yes",
                "table": f"dmsetup table {name}",
                "mount": f"sed -n 's#^/dev/mapper/{name} \\([^ ]*\\) .*#\\1#p' /proc/self/mounts | head -n 1",
                "scratch": f"for at in $(sed -n 's#^/dev/mapper/{name} \\([^ ]*\\) .*#\\1#p' /proc/self/mounts); do "
                f'[ -e "$at/{SCRATCH}" ] && echo yes; done',
            },
        )
        if not found["module"]:
            raise CapabilityMissing(f"the target's kernel has no device-mapper target {self.dm_target!r}")
        if not found["table"]:
            raise UsageError(f"the target has no device-mapper device {name!r}; see: dmsetup ls")
        words = found["table"].split()
        if len(found["table"].splitlines()) != 1 or words[2] != "linear":
            raise ForeignState(f"{name} is not one linear stretch of a disk ({found['table'].splitlines()[0]})")
        if not re.fullmatch(r"\d+ \d+ linear \d+:\d+ \d+", found["table"].strip()):
            raise ForeignState(f"{name} has a table that is not understood: {found['table'][:80]!r}")
        if self.damaging and not found["scratch"]:
            raise ScratchMarkMissing(
                f"{self.kind} loses data for good, and no file system on {name} is marked as scratch; "
                f"if one is, say so with: touch {found['mount'] or 'MOUNTPOINT'}/{SCRATCH}"
            )
        return found["table"].strip(), found["mount"]

    def read_once(self, shell: Shell) -> tuple[bool, float]:
        """One read past the page cache: whether it worked, and the milliseconds that it took."""
        script = (
            f"date +%s%N; dd if=/dev/mapper/{self.device} of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null "
            "&& echo read || echo failed; date +%s%N"
        )
        began, how, ended = shell.run(PATH + script, sudo=True, timeout_s=120).out.split()
        return how == "read", (int(ended) - int(began)) / 1e6

    def lost_write(self, shell: Shell, probe: str) -> bool:
        """Whether a synced write of our own file is not there when it is read past the page cache."""
        back = f"dd if={quote(probe)} bs=4096 count=1 iflag=direct,nofollow 2>/dev/null | head -c 1"
        script = f"{_write(probe, 'B')}\n{back}"
        return shell.run(PATH + script, sudo=True, timeout_s=60).out.strip() != "B"


def reading_of_errors(failed: bool) -> Reading:
    """One read or write of ours that failed, or none."""
    return Reading(value=int(failed), unit="failed of one", by="dd past the page cache")


def _write(probe: str, letter: str) -> str:
    fill = f"head -c 4096 /dev/zero | tr '\\0' {letter}"
    how = "bs=4096 count=1 conv=notrunc,fsync oflag=direct,nofollow iflag=fullblock"
    return f"{fill} | dd of={quote(probe)} {how} 2>/dev/null"
