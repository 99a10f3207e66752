"""Memory becomes scarce."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.errors import Refused
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.processes import mark

AVAILABLE = """\
kb=$(sed -n 's/^MemAvailable: *\\([0-9]*\\).*/\\1/p' /proc/meminfo)
limit=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max 2>/dev/null)
used=$(cat /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.current 2>/dev/null)
echo "$kb ${limit:-max} ${used:-0}"
"""
STEPS = 20


class HostMemory(ScriptFault):
    """Hold ``size_mb`` (or ``percent`` of what is available), reached over ``ramp_s``, and leave ``reserve_mb``."""

    kind: Literal["host.memory"] = "host.memory"
    size_mb: float = Field(default=0, ge=0, description="0: by per cent")
    percent: float = Field(default=50, gt=0, le=100)
    ramp_s: float = Field(default=1, ge=0, le=3600)
    reserve_mb: float = Field(default=256, ge=16)

    tools = ("setsid", "head", "tail")

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        kb, limit, used = ask(shell, {"memory": AVAILABLE})["memory"].split()
        free_mb = int(kb) / 1024
        if limit != "max":
            free_mb = min(free_mb, (int(limit) - int(used)) / 2**20)
        size_mb = self.size_mb or free_mb * self.percent / 100
        if size_mb > free_mb - self.reserve_mb:
            raise Refused(
                f"{size_mb:.0f} MB would leave {free_mb - size_mb:.0f} MB of {free_mb:.0f} MB available, less than the "
                f"reserve of {self.reserve_mb:g} MB; ask for less"
            )
        step = max(1, round(size_mb * 2**20 / STEPS))
        # tail has to keep a line whose end it has not seen, and the line never ends.
        feed = f"for n in $(seq {STEPS}); do head -c {step} /dev/zero; sleep {self.ramp_s / STEPS:.3f}; done"
        means = Means(
            mechanism=f"{size_mb:.0f} MB held by tail",
            inject=mark.start(context.lease_id, f"{{ {feed}; exec sleep 999999999; }} | tail -n 1"),
            undo=mark.end(context.lease_id),
            residue=mark.residue(context.lease_id),
        )
        return Prepared(means, data={"asked_mb": size_mb})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        asked = float(data["asked_mb"])
        held = f"cat $(for p in $({mark.find(lease_id)}); do echo /proc/$p/status; done) /dev/null 2>/dev/null | " + (
            "awk '/^VmRSS:/ { sum += $2 } END { printf \"%.0f\\n\", sum }'"
        )
        tries = round((self.ramp_s + 10) / 0.1) if hurt else 0
        script = (
            f"tries=0; while kb=$({held}); [ $kb -lt {round(asked * 1024 * 0.95)} ] && [ $tries -lt {tries} ]; do "
            "tries=$((tries + 1)); sleep 0.1; done; echo $kb"
        )
        kb = int(shell.run(PATH + script, sudo=True, timeout_s=self.ramp_s + 60).out.split()[0])
        return Reading(value=round(kb / 1024, 1), unit="MB", by="resident memory in the process table")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        asked = float(data["asked_mb"])
        words = f"asked {asked:.0f} MB, held {during.value:g} MB, before {baseline.value:g} MB"
        return 0.9 * asked <= during.value - baseline.value <= 1.25 * asked + 32, words
