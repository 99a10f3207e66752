"""Pods whose processor is taken."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.cluster.api import Kube
from chaosday.mechanisms.cluster.fault import PodFault, pods_of
from chaosday.mechanisms.cluster.helper_pods import of_container, start, working
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan

USAGE = (
    "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || "
    "awk '/^usage_usec/{print $2*1000}' /sys/fs/cgroup/cpu.stat; cut -d' ' -f1 /proc/uptime"
)


class Stress(PodFault):
    """Burns ``workers`` processors inside the control group of pods' first container, from a privileged helper.

    The container's limit holds for both, so that its own work gets what is left. The burners watch
    the helper and end within a second of it, however it ends.
    """

    kind: Literal["kubernetes.stress"] = "kubernetes.stress"
    unit: ClassVar[str] = "processors busy in the container's group"
    by: ClassVar[str] = "the container's own cpu accounting"
    workers: int = Field(default=1, ge=1, le=256)

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        pods = [Need(verb=verb, thing=pods_of(kube)) for verb in ("list", "get", "create", "delete")]
        return [*pods, Need(verb="create", thing=pods_of(kube), subresource="exec")]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        burn = "while [ -d /proc/$helper ]; do i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; done"
        for number, pod in enumerate(plan.data["things"]):
            # Into every group that the container's first process is in: one hierarchy, or several (v1).
            join = (
                "set -- $pids; nsenter -t 1 -m sh -c 'helper=$0 one=$1; "
                "for d in $(cut -d: -f2,3 /proc/$one/cgroup); do c=${d%%:*}; at=/sys/fs/cgroup/${c#name=}${d#*:}; "
                'case $c in cpu|cpuacct|cpu,cpuacct|"") '
                "[ -w $at/cgroup.procs ] && echo $$ >$at/cgroup.procs ;; esac; done; "
                f"{burn}' $$ $1 &"
            )
            script = f"{of_container(pod['container_id'])}\n" + f"{join}\n" * self.workers + "wait"
            name = f"{plan.lease.id}-{number}"
            start(kube, name, script, plan.lease, node=pod["node"], privileged=True)
            working(kube, name)

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        return sum(self._busy(kube, one) for one in data["things"])

    def enough(self, plan: FaultPlan, value: float) -> bool:
        # A tenth of a processor more than before: on a full node the burner gets no more than its share.
        return value >= plan.baseline.value + 0.1

    def _busy(self, kube: Kube, one: dict[str, Any]) -> float:
        command = ["sh", "-c", f"{USAGE}; sleep 1; {USAGE}"]
        _, out = kube.execute(one["name"], command, container=one["container"])
        words = [float(word) for word in out.split()]
        if len(words) != 4 or words[3] <= words[1]:
            return 0.0
        return (words[2] - words[0]) / 1e9 / (words[3] - words[1])
