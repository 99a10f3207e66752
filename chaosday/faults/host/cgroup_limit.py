"""An existing service or process gets less: of processors, memory or disk writes."""

from __future__ import annotations

from shlex import quote
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts import cgroup
from chaosday.mechanisms.hosts.cgroup import Group
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, UPTIME_NS, ask, passed_s
from chaosday.model.fault import Bite, FaultPlan, PlanContext, Reading
from chaosday.model.target import Shell, Target
from chaosday.model.words import ABSOLUTE, DEVICE


class HostCgroupLimit(ScriptFault):
    """Tighten one limit of the cgroup in which a systemd ``unit`` or the process matching ``pattern`` runs.

    Everything else in that group is limited with it; the group is named in the mechanism.
    """

    kind: Literal["host.cgroup_limit"] = "host.cgroup_limit"
    unit: str = Field(default="", pattern=DEVICE)
    pattern: str = Field(default="", description="Regular expression on command lines, where there is no unit")
    limit: Literal["cpu", "memory", "io"] = "cpu"
    cpu_percent: float = Field(default=20, gt=0, le=10_000, description="Of one processor")
    memory_mb: float = Field(default=128, gt=0)
    write_mb_s: float = Field(default=1, gt=0, description="To the disk that holds path")
    path: str = Field(default="/var/tmp", pattern=ABSOLUTE)

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        group = cgroup.of(shell, cgroup.pid_of(shell, self.unit, self.pattern), self.limit)
        file, ours, original = self._setting(shell, group)
        if ours == original:
            raise UsageError(f"{file} already reads {original!r}; ask for another limit")
        now = f"$({self._read(file, ours)})"
        means = Means(
            mechanism=f"cgroup v{group.version}, {file}",
            inject=f"printf '%s\\n' {quote(ours)} > {quote(file)} || exit 1\n",
            # Only where it still reads what we wrote: somebody may have set another limit since.
            undo=(
                f"[ -e {quote(file)} ] || exit 0\n"
                f'if [ "{now}" = {quote(ours)} ]; then\n'
                f"    printf '%s\\n' {quote(original)} > {quote(file)} || exit 1\nfi\n"
                f'[ "{now}" != {quote(ours)} ]\n'
            ),
            residue=f'if [ "{now}" = {quote(ours)} ]; then echo "limit {ours} in {file}"; fi\n',
        )
        data = {"file": file, "group": group.directory, "version": group.version, "device": ours.split()[0]}
        data |= {"ours": ours, "setting": self._read(file, ours)}
        return Prepared(means, data, {"limit": f"cat {quote(file)}"})

    def _setting(self, shell: Shell, group: Group) -> tuple[str, str, str]:
        """The file, what we write, and what brings back what was there."""
        if self.limit == "cpu":
            if group.version == 2:
                file = f"{group.directory}/cpu.max"
                return file, f"{round(self.cpu_percent * 1000)} 100000", ask(shell, {"v": f"cat {quote(file)}"})["v"]
            file = f"{group.directory}/cpu.cfs_quota_us"
            found = ask(shell, {"v": f"cat {quote(file)}", "p": f"cat {quote(group.directory)}/cpu.cfs_period_us"})
            return file, str(round(int(found["p"]) * self.cpu_percent / 100)), found["v"]
        if self.limit == "memory":
            file = f"{group.directory}/{'memory.max' if group.version == 2 else 'memory.limit_in_bytes'}"
            original = ask(shell, {"v": f"cat {quote(file)}"})["v"]
            # v1 answers a limit that was never set with the largest number of whole pages; -1 takes a limit away.
            unlimited = group.version == 1 and int(original) >= 2**62
            return file, str(round(self.memory_mb * 256) * 4096), "-1" if unlimited else original
        device = cgroup.device_of(shell, self.path)
        rate = round(self.write_mb_s * 2**20)
        if group.version == 2:
            file, ours, nothing = f"{group.directory}/io.max", f"{device} wbps={rate}", f"{device} wbps=max"
        else:
            file, ours, nothing = (
                f"{group.directory}/blkio.throttle.write_bps_device",
                f"{device} {rate}",
                f"{device} 0",
            )
        return file, ours, ask(shell, {"v": self._read(file, ours)})["v"] or nothing

    def _read(self, file: str, ours: str) -> str:
        if self.limit != "io":
            return f"cat {quote(file)}"
        device = ours.partition(" ")[0]
        return f"sed -n 's/^\\({device}\\) .*\\(wbps=[0-9a-z]*\\).*/\\1 \\2/p; t; /^{device} [0-9]*$/p' {quote(file)}"

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        account = cgroup.account(Group(str(data["group"]), int(data["version"])), self.limit, str(data["device"]))
        script = f"{UPTIME_NS}; {account}; sleep 1; {UPTIME_NS}; {account}"
        t0, n0, t1, n1 = (int(word) for word in shell.run(PATH + script, sudo=True).out.split())
        rate = (n1 - n0) / passed_s(t0, t1)
        if self.limit == "cpu":
            return Reading(value=round(rate / 1e9, 3), unit="cores", by="the group's own processor time")
        if self.limit == "memory":
            return Reading(value=n1, unit="times at the limit", by="the group's own counter")
        return Reading(value=round(rate / 2**20, 3), unit="MB/s", by="bytes written by the group")

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """A counter keeps what it counted when somebody has set another limit."""
        bite, setting = self.looked(target, plan), {"limit": str(plan.data["setting"])}
        if (now := ask(target.capability(Shell), setting)["limit"]) == plan.data["ours"]:
            return bite
        return bite.model_copy(update={"bit": False, "why": f"{plan.data['file']} reads {now!r}, which is not ours"})

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        words = f"{during.value:g} {during.unit}, before {baseline.value:g}"
        if self.limit == "memory":
            return during.value > baseline.value, f"asked {self.memory_mb:g} MB; {words}"
        asked = self.cpu_percent / 100 if self.limit == "cpu" else self.write_mb_s
        if baseline.value <= asked:
            return False, f"the group used less than {asked:g} {during.unit} before the fault; {words}"
        return during.value <= 1.3 * asked, f"asked {asked:g}, measured {words}"
