"""What every fault below a directory has in common: a FUSE file system of ours laid over it, and taken off."""

from __future__ import annotations

import json
from abc import abstractmethod
from shlex import quote
from typing import Any, ClassVar

from pydantic import Field

from chaosday.errors import CapabilityMissing, ForeignState, ScratchMarkMissing, UsageError
from chaosday.mechanisms.disks.cover import BESIDE, STANDING, Cover, library, source
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.scratch import SCRATCH
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import FaultPlan, PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.processes import mark

DAMAGE_LOGS = "/var/lib/chaosday/damage"
_LIBRARY = 'python3 -I -c \'import ctypes.util as u; print(u.find_library("fuse3") or u.find_library("fuse") or "")\''


class StorageFault(ScriptFault):
    """Lay a file system of ours over ``path`` (a directory) that passes everything on but what is to be hurt.

    A process that has files open below ``path`` keeps seeing the old ones: cover the directory before it
    starts, and heal after it has stopped. Or cover it beforehand with ``chaosday cover``: then faults come and go
    below a service that runs. Measured on a file of our own in the directory, taken away at once.
    """

    path: str = Field(default="/srv/data", pattern=r"^/[^\s'\\]*[^\s'\\/]$", description="A directory")
    match: str = Field(default="*", description="Shell pattern on the path below the directory")
    percent: float = Field(default=100, gt=0, le=100, description="Of the calls that are meant")

    tools: ClassVar[tuple[str, ...]] = ("python3", "setsid", "umount")
    inject_timeout_s: ClassVar[float] = 60
    damaging: ClassVar[bool] = False
    """Whether data is damaged for good: then only where the directory carries the scratch mark."""

    @property
    @abstractmethod
    def wish(self) -> dict[str, Any]:
        """``effect`` and ``calls``, and what the effect needs beside them; see the daemon."""

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        found, lease_id = self._look(shell), context.lease_id
        damage_log = f"{DAMAGE_LOGS}/{lease_id}.jsonl"
        wish: dict[str, Any] = {"errno": "EIO", "delay_ms": 0, "cut_bytes": 0, "percent": self.percent, **self.wish}
        wish |= {"damage_log": damage_log, "match": self.match, "probe": _probe_name(lease_id)}
        wish |= {"seed": context.seed}
        standing = found["top"].split(" ")[0] if found["top"].startswith(STANDING) else ""
        cover = Cover(standing or f"chaosday-{lease_id}")
        text = "" if standing or found["mfusepy"] else library()
        means = self._asked(cover, lease_id, wish) if standing else self._laid(cover, lease_id, wish, found)
        lasting = {"damage": f"bytes damaged by design; what they were is in {damage_log}"} if self.damaging else {}
        dump = {"mounts": f"awk -v p={quote(self.path)} 'index($2, p) == 1' /proc/self/mounts"}
        data = {"library": text, "disk": found["disk"], "control": cover.control, "standing": standing}
        return Prepared(means, data, dump, lasting=lasting)

    def _asked(self, cover: Cover, lease_id: str, wish: dict[str, Any]) -> Means:
        """The cover was there before: it is only told what to do."""
        file = f"{cover.control}/wishes/{lease_id}.json"
        return Means(
            mechanism=f"FUSE over {self.path}, which was there before",
            inject=(f"umask 077; mkdir -p {DAMAGE_LOGS}\n" if self.damaging else "") + cover.wish(lease_id, wish),
            undo=cover.unwish(lease_id),
            residue=f"[ ! -e {file} ] || echo wish {file}\n",
        )

    def _laid(self, cover: Cover, lease_id: str, wish: dict[str, Any], found: dict[str, str]) -> Means:
        """The cover comes with the fault, and goes with it."""
        name, control = cover.name, cover.control
        told = cover.told(self.path, found["directory"], readahead="read" not in wish["calls"])
        beside = "".join(f"printf %s {quote(source(file))} > {control}/{file} || exit 1\n" for file in BESIDE)
        command = f"cd {control} && exec python3 -I -c {quote(source('fault_filesystem_daemon.py'))} {quote(told)}"
        ours = f'[ "$({_top(self.path)})" = {name} ]'
        return Means(
            mechanism=f"FUSE over {self.path}, served by python3 on the target",
            inject=(
                f"umask 077; mkdir -p {control}/wishes{f' {DAMAGE_LOGS}' if self.damaging else ''} || exit 1\n"
                + cover.wish(lease_id, wish)
                + beside
                + ("" if found["mfusepy"] else f"cat > {control}/mfusepy.py || exit 1\n")
                + mark.start(lease_id, command)
                + f"tries=0; until {ours}; do tries=$((tries + 1)); "
                '[ $tries -lt 100 ] || { echo "the file system did not come up" >&2; exit 1; }; sleep 0.05; done\n'
            ),
            undo=_undo(lease_id, cover, self.path, ours),
            residue=(
                f"grep '^{name} ' /proc/self/mounts | sed 's/^/mount /'\n"
                f"[ ! -e {control} ] || echo directory {control}\n"
            ),
        )

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        file = quote(f"{self.path}/{_probe_name(lease_id)}")
        script = f"{PATH}python3 -I - {file} {quote(str(data['disk']))} {data['control']}"
        result = shell.run(script, stdin=source("file_probe.py"), sudo=True, timeout_s=120)
        if result.code:
            raise CapabilityMissing(f"the directory cannot be probed: {' '.join(result.err.split())[-200:]}")
        said = json.loads(result.out)
        value, unit = self.read(said)
        return Reading(value=value, least=self.least(said), unit=unit, by="a file of our own, written, synced and read")

    def served_by(self, plan: FaultPlan) -> str:
        """Below a file system whose process has died every call fails, whatever was asked for."""
        return "" if plan.data["standing"] else "what serves the file system"

    @abstractmethod
    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        """The fault's own effect and its unit, from what the file probe says."""

    def least(self, said: dict[str, Any]) -> float | None:
        """The smallest of what makes up the effect, where too much of it is another dose."""
        return None

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        return during.value > baseline.value, f"{during.value:g} {during.unit}, before {baseline.value:g}"

    def stdin(self, data: dict[str, Any]) -> str:
        return str(data["library"])

    def _look(self, shell: Shell) -> dict[str, str]:
        here = quote(self.path)
        found = ask(
            shell,
            {
                "directory": f"[ -d {here} ] && stat -c %d:%i {here}/.",
                "top": _top(self.path, '$1 " " $3'),
                # Of what will be covered, or is: a file system of ours has no sectors.
                "disk": f'p={here}; b=$(cat /run/$({_top(self.path)})/backing 2>/dev/null); stat -c %d "${{b:-$p}}/."',
                "fuse": "[ -c /dev/fuse ] && echo yes",
                "library": _LIBRARY,
                "mfusepy": "python3 -I -c 'import mfusepy' && echo yes",
                "scratch": f"[ -e {here}/{SCRATCH} ] && echo yes",
            },
        )
        if not found["directory"]:
            raise UsageError(f"{self.path} is not a directory of the target")
        if self.damaging and not found["scratch"]:
            raise ScratchMarkMissing(
                f"{self.kind} damages data for good, and {self.path} is not marked as scratch; "
                f"if it is, say so with: touch {self.path}/{SCRATCH}"
            )
        if " fuse" in found["top"] and not found["top"].startswith(STANDING):
            raise ForeignState(f"{self.path} is already covered by {found['top'].split()[0]}; take that off first")
        if not found["fuse"] or not found["library"]:
            raise CapabilityMissing("the target lacks libfuse or /dev/fuse; install: apt install fuse3 libfuse3-3")
        return found


def _undo(lease_id: str, cover: Cover, path: str, ours: str) -> str:
    # First the harm stops, whoever still has files open; then the cover comes off. Where files are open it is
    # taken off lazily: the daemon then serves those, unharmed, until they are closed, and ends by itself.
    return (
        f"{cover.unwish(lease_id)}tries=0\n"
        f"while {ours} && [ $tries -lt 20 ]; do umount {quote(path)} 2>/dev/null && break; "
        "tries=$((tries + 1)); sleep 0.05; done\n"
        f"lazy=; if {ours}; then umount -l {quote(path)} || exit 1; lazy=yes; fi\n"
        f"! grep -q '^{cover.name} ' /proc/self/mounts || "
        "{ echo 'something is mounted over our mount' >&2; exit 1; }\n"
        f'if [ -z "$lazy" ]; then\n{mark.end(lease_id)}fi\n'
        f"rm -rf {cover.control}\n"
    )


def _top(path: str, says: str = "$1") -> str:
    """Shell text that prints the name of what lies on top at ``path``, empty for nothing; ``says`` is awk's."""
    return f"awk -v p={quote(path)} '$2 == p {{ top = {says} }} END {{ print top }}' /proc/self/mounts"


def _probe_name(lease_id: str) -> str:
    return f".chaosday-probe-{lease_id}"
