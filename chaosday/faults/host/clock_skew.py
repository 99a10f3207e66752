"""A host's clock is wrong."""

from __future__ import annotations

from shlex import quote
from typing import Any, Literal

from pydantic import Field

from chaosday.clock import SystemClock
from chaosday.errors import CapabilityMissing, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import ask
from chaosday.model.fault import Bite, FaultPlan, PlanContext, Reading
from chaosday.model.target import Shell, Target
from chaosday.model.words import ABSOLUTE

KEEPERS = "systemd-timesyncd chrony chronyd ntp ntpd ntpsec"
LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1 /usr/lib64/faketime/libfaketime.so.1"
CAP_SYS_TIME = 25


class HostClockSkew(ScriptFault):
    """Set the wall clock ``offset_s`` wrong, hold time keepers off, and bring both back; monotonic time is untouched.

    Where a service runs under libfaketime with FAKETIME_TIMESTAMP_FILE, name that file: only what reads it
    is moved, ``drift_percent`` is possible too, and no privilege is needed.
    """

    kind: Literal["host.clock_skew"] = "host.clock_skew"
    offset_s: float = Field(default=3600)
    drift_percent: float = Field(default=0, gt=-90, le=900, description="How much too fast; with faketime_file only")
    faketime_file: str = Field(default="", pattern=rf"{ABSOLUTE}|^$")

    tools = ("date",)

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        if self.faketime_file:
            return self._faked(shell, context.lease_id)
        if self.drift_percent:
            raise UsageError("drift_percent needs a service under libfaketime; name its faketime_file")
        asked = {
            "capabilities": "sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status",
            "virtual": "systemd-detect-virt --container || [ ! -e /.dockerenv ] || echo docker",
        }
        found = ask(shell, asked)
        if not int(found["capabilities"] or "0", 16) >> CAP_SYS_TIME & 1:
            raise CapabilityMissing(
                "the target may not set its clock (no CAP_SYS_TIME); use a virtual machine or faketime_file"
            )
        if found["virtual"] not in ("", "none"):
            raise CapabilityMissing(
                f"the clock of a {found['virtual']} container is its host's clock; name a faketime_file"
            )
        note = f"/run/chaosday-{context.lease_id}.clock"
        wall = "$(($(date +%s%N) / 1000000))"
        up = "$(awk '{ printf \"%.0f\", $1 * 1000 }' /proc/uptime)"
        set_clock = 'date -s "@$((ms / 1000)).$(printf %03d $((ms % 1000)))" >/dev/null'
        means = Means(
            mechanism="date -s",
            # The note holds wall minus uptime in milliseconds: uptime does not move with the wall clock.
            inject=(
                f'held=; for k in {KEEPERS}; do systemctl is-active --quiet $k 2>/dev/null && held="$held $k"; done\n'
                f'echo "$(({wall} - {up})) $held" > {note}.tmp && mv {note}.tmp {note} || exit 1\n'
                f"for k in $held; do systemctl stop $k || exit 1; done\n"
                f"ms=$(({wall} + {round(self.offset_s * 1000)})); {set_clock} || exit 1\n"
            ),
            undo=(
                f"[ -e {note} ] || exit 0\nread -r base held < {note}\nms=$((base + {up}))\n"
                f"{set_clock} || exit 1\nfor k in $held; do systemctl start $k || exit 1; done\nrm -f {note}\n"
            ),
            residue=f"[ ! -e {note} ] || echo the clock is still ours: {note}\n",
        )
        return Prepared(means, {}, {"keepers": f"for k in {KEEPERS}; do systemctl is-active $k; done"})

    def _faked(self, shell: Shell, lease_id: str) -> Prepared:
        file, note = quote(self.faketime_file), f"/run/chaosday-{lease_id}.faketime"
        found = ask(shell, {"now": f"cat {file}", "library": f"ls {LIBRARY}"})
        if not found["library"]:
            raise CapabilityMissing("the target lacks libfaketime; install: apt install faketime")
        if not found["now"]:
            raise CapabilityMissing(
                f"{self.faketime_file} is not there or empty; start the service with FAKETIME_TIMESTAMP_FILE"
            )
        ours = f"{self.offset_s:+g}" + (f" x{1 + self.drift_percent / 100:g}" if self.drift_percent else "")
        means = Means(
            mechanism=f"libfaketime through {self.faketime_file}",
            inject=f"cp {file} {note} && echo {quote(ours)} > {file} || exit 1\n",
            undo=f"[ -e {note} ] || exit 0\ncat {note} > {file} && rm -f {note}\n",
            residue=f"[ ! -e {note} ] || echo the clock is still ours: {note}\n",
        )
        return Prepared(means, {"library": found["library"].split()[0]}, {"faketime": f"cat {file}"})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        faked = ""
        if self.faketime_file:
            # As a service that was started under it sees the time.
            settings = f"FAKETIME_TIMESTAMP_FILE={quote(self.faketime_file)} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1"
            faked = f"env LD_PRELOAD={quote(str(data['library']))} {settings} "
        ahead, _ = _compared(shell, faked)
        return Reading(value=round(ahead, 2), unit="s ahead", by="our own clock")

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        seen = super().snapshot(target, plan)
        if self.faketime_file:
            return seen
        ahead, unsure = _compared(target.capability(Shell), "")
        strayed = abs(ahead - plan.baseline.value)
        # Two readings of a clock never agree to the digit; a second is far below any skew worth asking for.
        return seen | ({"clock": f"off by {strayed:.2f} s"} if strayed > 1 + 2 * unsure else {})

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """A clock that drifts is further off at every look, or comes nearer."""
        bite = self.looked(target, plan)
        drifts = self.drift_percent and abs(bite.during.value - plan.baseline.value) > 1
        return bite.model_copy(update={"bit": True}) if drifts else bite

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        moved = during.value - baseline.value
        words = f"asked {self.offset_s:+g} s, moved {moved:+.2f} s, {baseline.value:+.2f} s ahead of us before"
        return abs(moved - self.offset_s) <= max(1, 0.1 * abs(self.offset_s)), words


def _compared(shell: Shell, faked: str) -> tuple[float, float]:
    """How far the target's clock is ahead of ours, and how unsure that is: the best of four, as NTP does it.

    The true offset is within half a round trip of the difference to its middle (RFC 5905, section 8).
    """
    clock, best = SystemClock(), (0.0, float("inf"))
    for _ in range(4):
        before = clock.wall_ns()
        theirs = int(shell.run(f"{faked}date +%s%N").out)
        after = clock.wall_ns()
        unsure = (after - before) / 2e9
        if unsure < best[1]:
            best = ((theirs - (before + after) / 2) / 1e9, unsure)
    return best
