"""A real cluster of one node, started once; without the programs for it these tests are skipped and say why."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.errors import ChaosdayError
from chaosday.mechanisms.cluster.fault import is_ready, running
from chaosday.targets.kubernetes_cluster import KubernetesCluster
from tests.lab.kubernetes import API, HELPER, IMAGE, POD_GATEWAY, kubernetes_lab, unavailable


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The way to the cluster; ``CHAOSDAY_K8S_KUBECONFIG`` names one that runs already."""
    if given := os.environ.get("CHAOSDAY_K8S_KUBECONFIG"):
        yield Path(given)
        return
    if why := unavailable():
        if os.environ.get("CHAOSDAY_REQUIRE_LAB") and os.environ.get("CHAOSDAY_K8S_LAB"):
            pytest.fail(f"the Kubernetes lab is required and cannot run: {why}")
        pytest.skip(why)
    with kubernetes_lab(tmp_path_factory.mktemp("k8s")) as lab:
        yield lab.kubeconfig


@pytest.fixture
def cluster(kubeconfig: Path, request: pytest.FixtureRequest) -> Iterator[KubernetesCluster]:
    """A namespace of the test's own with a deployment of two ready pods (label ``app=web``)."""
    name = "t-" + "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:40].strip("-")
    name += f"-{time.time_ns() % 100_000}"
    kube = KubernetesCluster(
        kubeconfig=str(kubeconfig), namespace=name, selector="app=web", helper_image=HELPER, inside_url=API
    )
    kube.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    kube.ask("POST", f"/apis/apps/v1/namespaces/{name}/deployments", deployment())
    until(lambda: len([pod for pod in running(kube) if is_ready(pod)]) == 2)
    yield kube
    kube.ask("DELETE", f"/api/v1/namespaces/{name}", {"gracePeriodSeconds": 0})


def deployment() -> dict[str, Any]:
    """Two web servers that are ready as soon as they answer."""
    script = "echo $(hostname) > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"
    container = {
        "name": "web",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "readinessProbe": {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": [POD_GATEWAY]},
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "metadata": {"name": "web", "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


def until(ready: Callable[[], bool], timeout_s: float = 300) -> None:
    """Return once ``ready``; what the API server answers meanwhile does not matter."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if ready():
                return
        except ChaosdayError:
            pass
        assert time.monotonic() < deadline, "not ready in time"
        time.sleep(0.2)
