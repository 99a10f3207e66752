"""Rules in a pod's network namespace, kept there by a sitter on the node that takes them away again."""

from __future__ import annotations

import contextlib
import time
from abc import abstractmethod
from shlex import quote
from typing import Any

from chaosday.errors import LeaseError
from chaosday.mechanisms.cluster.api import Kube, RequestFailed
from chaosday.mechanisms.cluster.fault import PodFault, pods_of
from chaosday.mechanisms.cluster.helper_pods import of_container, start, working
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.mechanisms.hosts.tools import PATH
from chaosday.model.fault import FaultPlan

APPLY_TIMEOUT_S = 30.0
_GROUPS = "/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs"


class PodNetworkFault(PodFault):
    """Applies rules with the node's own nft and tc, from a privileged helper, inside a pod's network namespace.

    The rules outlive a helper that is killed, so they are not the helper's: a sitter, moved out of the
    helper's control group, holds the namespace open (the container may be restarted meanwhile), watches the
    helper, and takes the rules away within a second of its end. The node needs nft (and tc, for delays).
    """

    @abstractmethod
    def rules(self, name: str) -> str:
        """``sh`` that applies the rules, called ``name``, through ``$in`` before each command of the node's."""

    @abstractmethod
    def without(self, name: str) -> str:
        """``sh`` that takes them away; any number of times."""

    @abstractmethod
    def left(self, name: str) -> str:
        """``sh`` that prints a line while any of them is there."""

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        pods = [Need(verb=verb, thing=pods_of(kube)) for verb in ("list", "get", "create", "delete")]
        return [*pods, Need(verb="create", thing=pods_of(kube), subresource="exec")]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for number, pod in enumerate(plan.data["things"]):
            name = f"{plan.lease.id}-{number}"
            start(kube, name, self._helper(pod, name), plan.lease, node=pod["node"], privileged=True)
            self._wait_until_applied(kube, name)

    def _wait_until_applied(self, kube: Kube, name: str) -> None:
        """The helper says so once it has seen the rules from beside them; one that failed says why."""
        deadline = time.monotonic() + APPLY_TIMEOUT_S
        while time.monotonic() < deadline:
            working(kube, name)
            with contextlib.suppress(RequestFailed):
                code, _ = kube.execute(name, ["sh", "-c", "[ -e /tmp/applied ]"], container="helper")
                if code == 0:
                    return
            time.sleep(0.3)
        raise LeaseError(f"helper pod {name} has not applied its rules within {APPLY_TIMEOUT_S:g} s")

    def _helper(self, pod: dict[str, Any], name: str) -> str:
        # Read by us when it went wrong; /tmp of a node is everybody's.
        said = f"/run/chaosday-{name}"
        sitter = (
            f"{PATH}for g in {_GROUPS}; do echo $$ > $g; done 2>/dev/null\n"
            'exec 9</proc/$one/ns/net; in="nsenter --net=/proc/$$/fd/9"\n'
            f"( {self.rules(name)} ) 2>{said} || {{ {self.without(name)}; exit 1; }}\n"
            f"while [ -d /proc/$helper ] && ! grep -q ' Z ' /proc/$helper/stat; do sleep 0.2; done\n"
            f'until {self.without(name)} && [ -z "$({self.left(name)})" ]; do sleep 0.5; done; rm -f {said}\n'
        )
        return (
            f"{of_container(pod['container_id'])}\nset -- $pids\n"
            f"helper=$$ one=$1 nsenter -t 1 -m setsid sh -c {quote(sitter)} &\n"
            f'tries=0; until [ -n "$(nsenter -t $1 -n nsenter -t 1 -m sh -c {quote(self._applied(name))})" ]; do\n'
            "    tries=$((tries + 1)); [ $tries -lt 50 ] || { "
            f"nsenter -t 1 -m head -c 300 {said} >/dev/termination-log; exit 1; }}; sleep 0.2\n"
            "done\n: >/tmp/applied\nwhile :; do sleep 1; done\n"
        )

    def _applied(self, name: str) -> str:
        return f"{PATH}in=; {self.left(name)}"
