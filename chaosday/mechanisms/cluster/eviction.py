"""Eviction, in the shape of today and in the one before Kubernetes 1.22."""

from __future__ import annotations

from chaosday.mechanisms.cluster.api import Kube, RequestFailed
from chaosday.mechanisms.cluster.fault import pods_of


def evict(kube: Kube, name: str) -> None:
    """Ask a pod to leave; ``RequestFailed`` with 429 where a disruption budget forbids it."""
    for version in ("v1", "v1beta1"):
        meta = {"name": name, "namespace": kube.namespace}
        body = {"apiVersion": f"policy/{version}", "kind": "Eviction", "metadata": meta}
        try:
            kube.ask("POST", f"{pods_of(kube, name).path}/eviction", body)
            return
        except RequestFailed as error:
            # A server of before 1.22 does not know the kind in policy/v1, and says so with 400.
            if error.status not in (400, 404, 415) or version == "v1beta1":
                raise
