"""The block for a namespace of a Kubernetes cluster."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.targets.kubernetes_cluster import KubernetesCluster


class KubernetesNamespace(Block):
    """A namespace and the pods in it that a label selector fits; credentials stay in the worker's kubeconfig."""

    _block_type_name = "chaosday Kubernetes namespace"
    _block_type_slug = "chaosday-kubernetes-namespace"
    _description = "A namespace that experiments may hurt."

    kubeconfig: str = Field(default="", description="Empty: KUBECONFIG, else ~/.kube/config")
    context: str = ""
    in_cluster: bool = Field(default=False, description="The worker runs in the cluster")
    namespace: str = "default"
    selector: str = Field(default="", description="Label selector of the pods, app=web")
    helper_image: str = Field(default="alpine/k8s:1.33.4", description="An image with sh and kubectl")

    def target(self) -> KubernetesCluster:
        """The kernel's noun for it."""
        names = ("kubeconfig", "context", "in_cluster", "namespace", "selector", "helper_image")
        return KubernetesCluster(**{name: getattr(self, name) for name in names})

    def check(self) -> str:
        """In words: whether the cluster can be reached."""
        try:
            return f"{self.target().reach()}; ready"
        except ChaosdayError as error:
            return f"cannot be used: {error}"
