"""Faults in a real cluster: they hit what was chosen, end by heal and by the Job in the cluster, and leave nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chaosday.errors import AccessDenied, LeaseError, Refused, TargetUnreachable
from chaosday.mechanisms.cluster.api import Kube
from chaosday.mechanisms.cluster.labels import LEASE
from chaosday.model.clean import differences
from chaosday.model.fault import Fault
from chaosday.model.lease import LeaseHolder
from chaosday.registry import member, members
from chaosday.targets.kubernetes_cluster import KubernetesCluster
from tests.faults.cloud.living import planned, struck
from tests.faults.kubernetes.conftest import until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

Arrange = Callable[[KubernetesCluster], dict[str, Any]]


def fault_of(kind: str, **fields: object) -> Fault:
    fault = member("faults", kind).model_validate({"target": "cluster", **fields})
    assert isinstance(fault, Fault)
    return fault


def settings(kube: KubernetesCluster) -> dict[str, Any]:
    document = {"metadata": {"name": "settings"}, "data": {"timeout": "30", "mode": "normal"}}
    kube.ask("POST", f"/api/v1/namespaces/{kube.namespace}/configmaps", document)
    return {"config_map": "settings", "values": {"timeout": "0"}}


NOTHING: Arrange = lambda _: {}  # noqa: E731
NODE: Arrange = lambda _: {"nodes": ["n0"]}  # noqa: E731
ARRANGED: dict[str, Arrange] = {
    "kubernetes.config": settings,
    "kubernetes.container_kill": NOTHING,
    "kubernetes.dns": NOTHING,
    "kubernetes.image_pull": NOTHING,
    "kubernetes.netem": lambda _: {"loss_percent": 50},
    "kubernetes.node_cordon": NODE,
    "kubernetes.node_drain": NODE,
    "kubernetes.pod_evict": NOTHING,
    "kubernetes.pod_kill": NOTHING,
    "kubernetes.scale": NOTHING,
    "kubernetes.stress": NOTHING,
    "kubernetes.volume_fill": lambda _: {"fill_mb": 8},
}
REVERTING = ["kubernetes.config", "kubernetes.node_cordon", "kubernetes.scale", "kubernetes.volume_fill"]


@pytest.mark.parametrize("kind", sorted(ARRANGED))
def test_bites_and_heals(cluster: KubernetesCluster, kind: str) -> None:
    """Planned, armed with a watching Job, injected, seen, undone, and nothing of ours left in the namespace."""
    with struck(fault_of(kind, **ARRANGED[kind](cluster)), cluster) as (_, bite):
        assert bite.bit, bite.why


@pytest.mark.parametrize("kind", REVERTING)
def test_ends_without_us(cluster: KubernetesCluster, kind: str) -> None:
    """When nobody renews any more, the Job in the cluster puts everything back and takes itself away."""
    fault = fault_of(kind, ttl_s=4, **ARRANGED[kind](cluster))
    plan = planned(fault, cluster, number=9)
    holder = cluster.capability(LeaseHolder)
    holder.arm(plan.lease)
    holder.renew(plan.lease.id, 4)
    fault.inject(cluster, plan)
    until(lambda: not holder.leases())
    changed, _ = differences(plan.snapshot, fault.snapshot(cluster, plan), {})
    assert changed == []
    fault.heal(cluster, plan.lease)
    assert fault.residue(cluster, plan.lease) == []
    with pytest.raises(LeaseError, match="over"):
        holder.renew(plan.lease.id, 4)


def test_every_kubernetes_fault_is_arranged() -> None:
    """A cluster fault cannot be added without being tried here."""
    kinds = {kind for kind, fault in members("faults").items() if Kube in fault.requires}  # type: ignore[attr-defined]
    assert kinds == set(ARRANGED) | ELSEWHERE


ELSEWHERE = {"kubernetes.network_partition"}


def test_a_policy_that_nobody_enforces_is_no_bite(cluster: KubernetesCluster) -> None:
    """This cluster's network stores policies and does nothing about them: a probe pod says so."""
    with struck(fault_of("kubernetes.network_partition"), cluster) as (_, bite):
        assert not bite.bit
        assert "does not enforce" in bite.why


def test_recovers_by_label_alone(cluster: KubernetesCluster) -> None:
    """Without plan, journal or fault: the lease is found by its label, and its undo is in it."""
    fault = fault_of("kubernetes.scale")
    plan = planned(fault, cluster, number=8)
    cluster.capability(LeaseHolder).arm(plan.lease)
    fault.inject(cluster, plan)
    later = KubernetesCluster.model_validate(cluster.public()).capability(LeaseHolder)
    (state,) = later.leases()
    assert (state.id, state.run, state.fault) == (plan.lease.id, "run-1", "kubernetes.scale")
    later.heal(state.id)
    assert later.residue(state.id) == []
    assert fault.snapshot(cluster, plan) == plan.snapshot


def test_owner_references(cluster: KubernetesCluster) -> None:
    """Job, service account, role and binding belong to the Lease, so that nothing outlives it as an orphan."""
    fault = fault_of("kubernetes.scale")
    plan = planned(fault, cluster, number=7)
    cluster.capability(LeaseHolder).arm(plan.lease)
    try:
        base = f"/namespaces/{cluster.namespace}"
        for path in (f"/apis/batch/v1{base}/jobs", f"/api/v1{base}/serviceaccounts"):
            items = cluster.ask("GET", path, query={"labelSelector": f"{LEASE}={plan.lease.id}"})["items"]
            owners = [(each["kind"], each["name"]) for item in items for each in item["metadata"]["ownerReferences"]]
            assert owners == [("Lease", plan.lease.id)]
    finally:
        fault.heal(cluster, plan.lease)


def test_disruption_budget_is_kept(cluster: KubernetesCluster) -> None:
    """An eviction that the budget forbids is reported as such, and no pod goes."""
    budget = {
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "keep"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    }
    path = f"/apis/policy/v1beta1/namespaces/{cluster.namespace}/poddisruptionbudgets"
    cluster.ask("POST", path, budget)
    until(lambda: cluster.ask("GET", f"{path}/keep").get("status", {}).get("currentHealthy") == 2)
    with pytest.raises(Refused, match="disruption budget"), struck(fault_of("kubernetes.pod_evict"), cluster):
        pass


def test_missing_permission_prints_the_role(cluster: KubernetesCluster, tmp_path: Any) -> None:
    """Somebody without rights is refused in plan, with a Role that can be applied as it is; with it the plan stands."""
    namespace = cluster.namespace
    cluster.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "weak"}})
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts/weak"
    until(lambda: bool(cluster.ask("GET", accounts).get("secrets")))
    secret = cluster.ask("GET", accounts)["secrets"][0]["name"]
    import base64

    token = base64.b64decode(cluster.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{secret}")["data"]["token"])
    config = json.loads(open(cluster.kubeconfig).read())  # noqa: PTH123, SIM115
    config["users"][0]["user"]["token"] = token.decode()
    weak_config = tmp_path / "kubeconfig"
    weak_config.write_text(json.dumps(config))
    weak = cluster.model_copy(update={"kubeconfig": str(weak_config)})
    weak.close()
    fault = fault_of("kubernetes.scale", workload="web")
    binding = {
        "metadata": {"name": "look"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "weak", "namespace": namespace}],
    }
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    cluster.ask("POST", bindings, binding)
    with pytest.raises(AccessDenied) as caught:
        planned(fault, weak)
    document = json.loads(str(caught.value)[str(caught.value).index("{") :])
    assert document["kind"] == "Role"
    cluster.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles", document)
    binding |= {
        "metadata": {"name": "more"},
        "roleRef": binding["roleRef"] | {"kind": "Role", "name": document["metadata"]["name"]},
    }  # type: ignore[operator]
    cluster.ask("POST", bindings, binding)
    until(lambda: bool(planned(fault, weak).affected))


def test_a_cluster_that_is_not_there(tmp_path: Any) -> None:
    """No kubeconfig and no answer are said in words."""
    with pytest.raises(TargetUnreachable, match="kubeconfig"):
        KubernetesCluster(kubeconfig=str(tmp_path / "none")).reach()
