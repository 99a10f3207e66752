"""A directory can no longer be written to."""

from __future__ import annotations

from shlex import quote
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import ForeignState, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell


class StorageReadonly(ScriptFault):
    """Lay a read-only view of ``path`` over itself (a bind mount): opening a file for writing gives EROFS.

    Files that are open for writing already stay writable, as they do not when a kernel turns a file system
    read-only; that one cannot be turned back while in use.
    """

    kind: Literal["storage.readonly"] = "storage.readonly"
    path: str = Field(default="/srv/data", pattern=r"^/[^\s'\\]*[^\s'\\/]$", description="A directory")

    tools = ("mount", "umount")

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        here, note = quote(self.path), f"/run/chaosday-{context.lease_id}.readonly"
        mounts = f"awk -v p={here} '$5 == p {{ print $1, $6 }}' /proc/self/mountinfo"
        found = ask(shell, {"directory": f"[ -d {here} ] && echo yes", "mounts": mounts})
        if not found["directory"]:
            raise UsageError(f"{self.path} is not a directory of the target")
        if any("ro" in line.split()[1].split(",") for line in found["mounts"].splitlines()[-1:]):
            raise ForeignState(f"{self.path} is mounted read-only already; there is nothing to take away")
        # Our mount is known by its number in mountinfo, which the note holds: a bind mount has no name to mark.
        top = f"$({mounts} | tail -n 1 | cut -d' ' -f1)"
        means = Means(
            mechanism="bind mount, read-only",
            inject=(
                f"mount --bind {here} {here} || exit 1\necho {top} > {note}\n"
                f"mount -o remount,ro,bind {here} || exit 1\n"
            ),
            undo=(
                f"[ -e {note} ] || exit 0\nmine=$(cat {note})\n"
                f'if [ "{top}" = "$mine" ]; then umount {here} 2>/dev/null || umount -l {here} || exit 1; fi\n'
                f"! {mounts} | grep -q \"^$mine \" || {{ echo 'something is mounted over our mount' >&2; exit 1; }}\n"
                f"rm -f {note}\n"
            ),
            residue=f'[ ! -e {note} ] || echo "read-only mount over {self.path}"\n',
        )
        return Prepared(means, {}, {"mounts": f"awk -v p={here} 'index($2, p) == 1' /proc/self/mounts"})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        probe = quote(f"{self.path}/.chaosday-probe-{lease_id}")
        result = shell.run(f"{PATH}set -C; : 2>/dev/null > {probe} && rm -f {probe} && echo written", sudo=True)
        return Reading(value=int(result.out.strip() != "written"), unit="of 1 write refused", by="a file of our own")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        return during.value > baseline.value, f"{during.value:g} {during.unit}, before {baseline.value:g}"
