"""The action kubernetes on a real cluster: done, seen, put back; what somebody else changed is theirs."""

from __future__ import annotations

from typing import Any

import pytest

from chaosday.actions.kubernetes.change import KubernetesAction
from chaosday.errors import ChaosdayError, TargetUnreachable
from chaosday.targets.kubernetes_cluster import KubernetesCluster

pytestmark = pytest.mark.lab


def web(cluster: KubernetesCluster) -> dict[str, Any]:
    return cluster.ask("GET", f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/web")


def action(**fields: Any) -> KubernetesAction:
    return KubernetesAction.model_validate({"target": "c", "name": "web", "undo": "back", **fields})


def test_each_is_done_and_put_back(cluster: KubernetesCluster) -> None:
    """Scaled, patched and rolled, and the specification as it was before; a command runs where it is told."""
    targets, before = {"c": cluster}, web(cluster)
    spec = before["spec"]
    for each in (
        action(do="scale", replicas=3),
        action(do="patch", patch={"spec": {"paused": True}, "metadata": {"labels": {"drill": "on"}}}),
        action(do="rollout"),
    ):
        assert each.act(targets)
        changed = web(cluster)
        assert changed["metadata"]["generation"] > before["metadata"]["generation"]
        assert "as it was" in each.take_back(targets)
        assert each.take_back(targets) == "web is as it was"
        after = web(cluster)
        annotations = after["spec"]["template"]["metadata"].pop("annotations", None)
        assert after["spec"] == spec and not annotations
        assert after["metadata"]["labels"] == before["metadata"]["labels"]
    run = action(do="exec", name="", undo="", command=["sh", "-c", "echo $((6 * 7))"], undo_command=["true"])
    assert run.act(targets).endswith("42")
    assert run.take_back(targets)
    with pytest.raises(TargetUnreachable, match="exit code 7"):
        action(do="exec", name="", undo="", command=["sh", "-c", "exit 7"], undo_command=["true"]).act(targets)


def test_what_somebody_else_changed_meanwhile_is_theirs(cluster: KubernetesCluster) -> None:
    """It is left as they have it, and said; an object that is not there is said too."""
    targets = {"c": cluster}
    ours, theirs = action(do="scale", replicas=3), action(do="scale", replicas=1)
    ours.act(targets)
    theirs.act(targets)
    with pytest.raises(TargetUnreachable, match=r"spec\.replicas was changed by somebody else"):
        ours.take_back(targets)
    assert web(cluster)["spec"]["replicas"] == 1
    with pytest.raises(ChaosdayError, match="not found"):
        action(do="scale", name="nowhere").act(targets)
