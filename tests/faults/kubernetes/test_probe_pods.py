"""Probe pods of a partition: one answer that did not come is one look without an answer, and spoils no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from chaosday.errors import TargetUnreachable
from chaosday.faults.kubernetes.network_partition import NetworkPartition
from chaosday.mechanisms.cluster.api import Kube, RequestFailed
from chaosday.model.fault import FaultPlan, Reading
from chaosday.model.lease import Lease, Undo
from chaosday.model.target import Target

pytestmark = pytest.mark.kernel


class Pods:
    """An API server with room for pods, each of which ends at once and says that one address was silent."""

    namespace, selector, helper_image, inside_url = "here", "app=web", "image", ""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.mute: set[str] = set()
        """Methods to which the next answer does not come."""

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **_: object) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if "/leases/" in path:
            return {"metadata": {"name": name, "uid": "1"}}
        if method in self.mute:
            self.mute.remove(method)
            raise TargetUnreachable("the API server gave no answer")
        if method == "POST":
            assert body is not None
            if body["metadata"]["name"] in self.there:
                raise RequestFailed("it exists", 409)
            self.there.add(body["metadata"]["name"])
        elif name not in self.there:
            raise RequestFailed("not found", 404)
        elif method == "DELETE":
            self.there.remove(name)
        ended = {"state": {"terminated": {"message": "1"}}}
        return {"status": {"phase": "Succeeded", "containerStatuses": [ended]}}


PODS = Pods()


class Cluster(Target):
    kind: Literal["test_pods"] = "test_pods"

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {Kube: PODS}

    def reach(self) -> str:
        return "pods"


@pytest.mark.parametrize("mute", [{"GET"}, {"GET", "DELETE"}])
def test_an_answer_that_does_not_come_spoils_one_look(mute: set[str]) -> None:
    """The next look finds the partition, whether the pod of the one before could be taken away or not."""
    PODS.__init__()  # type: ignore[misc]
    fault, target = NetworkPartition(target="cluster"), Cluster()
    lease = Lease(id="cd-1-00", run="r", fault=fault.kind, target="cluster", undo=Undo(script=":"), ttl_s=30)
    things = [{"name": "web", "ip": "198.18.0.9"}]
    nothing = Reading(value=0, unit="pods", by="a probe pod")
    plan = FaultPlan(lease=lease, affected=["web"], baseline=nothing, data={"things": things})
    PODS.mute = set(mute)
    with pytest.raises(TargetUnreachable):
        fault.look(target, plan)
    assert len(PODS.there) == ("DELETE" in mute)
    seen = fault.look(target, plan)
    assert seen is not None and seen.bit
    assert len(PODS.there) == ("DELETE" in mute)
