"""A service is stopped, or started anew."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import Bite, FaultPlan, PlanContext, Reading
from chaosday.model.target import Shell, Target
from chaosday.model.words import DEVICE


class HostService(ScriptFault):
    """Stop a service of the init system until heal, or restart it once."""

    kind: Literal["host.service"] = "host.service"
    name: str = Field(default="", pattern=DEVICE)
    action: Literal["stop", "restart"] = "stop"

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        if not self.name:
            raise UsageError("host.service needs the name of a service")
        script = f"/etc/init.d/{self.name}"
        found = ask(
            shell, {"init": f"[ -d /run/systemd/system ] && echo systemd || {{ [ -x {script} ] && echo {script}; }}"}
        )
        if not found["init"]:
            raise CapabilityMissing(f"neither systemd nor {script} is on the target; name a service that it has")
        systemd = found["init"] == "systemd"
        do = f"systemctl %s {self.name}" if systemd else f"{script} %s"
        status = f"systemctl is-active --quiet {self.name}" if systemd else f"{script} status >/dev/null 2>&1"
        if ask(shell, {"up": f"{status} && echo up"})["up"] != "up":
            raise UsageError(f"service {self.name} is not running; start it first, or there is nothing to stop")
        # A note of our own: a service that somebody else has stopped since is none of our business.
        note = f"/run/chaosday-{context.lease_id}.stopped"
        start = f"if [ -e {note} ]; then {status} || {do % 'start'} || exit 1; rm -f {note}; fi\n"
        means = Means(
            mechanism="systemd" if systemd else script,
            inject=f": > {note} || exit 1\n{do % self.action} || exit 1\n",
            undo=start if self.action == "stop" else f"{start}rm -f {note}\n",
            residue=f'[ ! -e {note} ] || echo "service {self.name} was stopped by us"\n',
        )
        main = (
            f"systemctl show --property MainPID --value {self.name}"
            if systemd
            else f"cat /run/{self.name}.pid /var/run/{self.name}/{self.name}.pid 2>/dev/null | head -n 1"
        )
        return Prepared(means, {"main": main}, {"running": f"{status} && echo running || echo stopped"})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        # The process table, not the word of the init system that did it.
        script = (
            f"p=$({data['main']}); [ \"${{p:-0}}\" -gt 0 ] && sed 's/.*) //' /proc/$p/stat | cut -d' ' -f20 || echo 0"
        )
        started = shell.run(PATH + script, sudo=True).out.strip() or "0"
        return Reading(value=int(started), unit="ticks, start of its main process (0: none)", by="/proc/PID/stat")

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        return super().look(target, plan) if self.action == "stop" else None

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        if not baseline.value:
            return False, f"service {self.name} has no main process that could be seen to end"
        words = f"its main process started at {baseline.value:g} before, {during.value:g} during"
        gone = during.value == 0 if self.action == "stop" else during.value > baseline.value
        return gone, words
