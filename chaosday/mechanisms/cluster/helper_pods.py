"""Helper pods: short-lived, labelled as ours, owned by the lease, with a deadline of their own."""

from __future__ import annotations

import time
from typing import Any

from chaosday.errors import LeaseError, TargetUnreachable
from chaosday.mechanisms.cluster.api import Change, Kube, RequestFailed, Thing, apply, literal
from chaosday.mechanisms.cluster.fault import pods_of
from chaosday.mechanisms.cluster.labels import marks
from chaosday.mechanisms.cluster.leases import COORDINATION, owner_of
from chaosday.model.lease import Lease

LONGEST_S = 6 * 3600
START_TIMEOUT_S = 60.0


def start(kube: Kube, name: str, script: str, lease: Lease, *, node: str = "", privileged: bool = False) -> None:
    """Run ``script`` in a pod; it ends with the lease's object, with ours, and by ``activeDeadlineSeconds``.

    A pod's own deadline can only ever be shortened, so it is the last resort for a lease that is renewed.
    """
    stored = kube.ask("GET", Thing(group=COORDINATION, resource="leases", namespace=kube.namespace, name=lease.id).path)
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": LONGEST_S,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "tolerations": [{"operator": "Exists"}],
        "containers": [_container(kube, script, privileged=privileged)],
    }
    spec |= {"nodeName": node} if node else {}
    spec |= {"hostPID": True} if privileged else {}
    meta = {"name": name, "labels": marks(lease.id, lease.run), "ownerReferences": [owner_of(stored)]}
    kube.ask("POST", pods_of(kube).path, {"metadata": meta, "spec": spec})


def result(kube: Kube, name: str, *, timeout_s: float = START_TIMEOUT_S) -> tuple[bool, str]:
    """Wait until a helper has ended: whether well, and the last line of its termination message."""
    deadline = time.monotonic() + timeout_s
    while True:
        status = kube.ask("GET", pods_of(kube, name).path).get("status", {})
        if status.get("phase") in ("Succeeded", "Failed"):
            ended = [each["state"].get("terminated", {}) for each in status.get("containerStatuses", [])]
            return status["phase"] == "Succeeded", "".join(each.get("message", "") for each in ended).strip()
        if time.monotonic() > deadline:
            raise TargetUnreachable(f"helper pod {name} did not end in {timeout_s:g} s; is {kube.helper_image} there?")
        time.sleep(0.3)


def working(kube: Kube, name: str) -> None:
    """Wait until a helper runs; ``LeaseError`` if it ended or never began."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        status = kube.ask("GET", pods_of(kube, name).path).get("status", {})
        if status.get("phase") == "Running":
            return
        if status.get("phase") in ("Succeeded", "Failed") or time.monotonic() > deadline:
            ended = [each["state"].get("terminated", {}) for each in status.get("containerStatuses", [])]
            said = " ".join("".join(each.get("message", "") for each in ended).split())[:200] or "it said nothing"
            raise LeaseError(f"helper pod {name} is {status.get('phase', 'unknown')}, not running: {said}")
        time.sleep(0.2)


def remove(kube: Kube, name: str) -> None:
    """Take a helper away at once, and wait until its name is free."""
    apply(kube, Change(verb="delete", thing=pods_of(kube, name), body={"gracePeriodSeconds": 0}))
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            kube.ask("GET", pods_of(kube, name).path)
        except RequestFailed as error:
            if error.status == 404:
                return
            raise
        time.sleep(0.2)


def _container(kube: Kube, script: str, *, privileged: bool) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "helper",
        "image": kube.helper_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", literal(script)],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return container | ({"securityContext": {"privileged": True}} if privileged else {})


def of_container(container_id: str) -> str:
    """``sh`` that sets ``pids`` to the processes of a container, seen from its node."""
    return (
        "pids=; for d in /proc/[0-9]*; do "
        f'grep -q {container_id} "$d/cgroup" 2>/dev/null && pids="$pids ${{d#/proc/}}"; '
        'done; [ -n "$pids" ] || { echo "no such process here" >/dev/termination-log; exit 1; }'
    )
