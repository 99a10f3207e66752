"""The block for a namespace of a Kubernetes cluster."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.kubernetes_cluster import KubernetesCluster


class KubernetesNamespace(TargetBlock):
    """A namespace and the pods in it that a label selector fits; credentials stay in the worker's kubeconfig."""

    _model: ClassVar[type[Target]] = KubernetesCluster
    _block_type_name = "chaosday Kubernetes namespace"
    _block_type_slug = "chaosday-kubernetes-namespace"
    _description = "A namespace that experiments may hurt."

    kubeconfig: str = Field(default="", description="Empty: KUBECONFIG, else ~/.kube/config")
    context: str = ""
    in_cluster: bool = Field(default=False, description="The worker runs in the cluster")
    namespace: str = "default"
    selector: str = Field(default="", description="Label selector of the pods, app=web")
    helper_image: str = Field(default="alpine/k8s:1.33.4", description="An image with sh and kubectl")
