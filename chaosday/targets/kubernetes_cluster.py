"""A namespace of a Kubernetes cluster, and the pods in it that a label selector fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.cluster.api import Connection, Kube
from chaosday.mechanisms.cluster.leases import ClusterLeases
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.model.words import NO_LOGIN


class KubernetesCluster(Target):
    """Reached with a kubeconfig and context, or from inside. Credentials stay in the kubeconfig.

    ``helper_image`` runs the reverting Job and the helper pods: it needs ``sh``, busybox's applets (or
    coreutils, util-linux and iproute2) and ``kubectl``.
    """

    kind: Literal["kubernetes_cluster"] = "kubernetes_cluster"
    kubeconfig: str = Field(default="", description="Empty: KUBECONFIG, else ~/.kube/config")
    context: str = ""
    in_cluster: bool = False
    namespace: str = Field(default="default", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    selector: str = Field(default="", description="Label selector of the pods, app=web")
    helper_image: str = "alpine/k8s:1.33.4"
    inside_url: str = Field(
        default="",
        pattern=NO_LOGIN,
        description="The API server's URL for pods, where the default one does not work",
    )

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {Kube: self, LeaseHolder: ClusterLeases(self)}

    def fences(self, affected: Sequence[str]) -> list[str]:
        """What is hurt of it, thing by thing: other experiments may hurt other things of it."""
        return [f"kubernetes {self.kubeconfig} {self.context} {self.namespace} {thing}" for thing in affected]

    def reach(self) -> str:
        version = self.ask("GET", "/version").get("gitVersion", "unknown")
        pods = self.ask("GET", f"/api/v1/namespaces/{self.namespace}/pods", query={"labelSelector": self.selector})
        return (
            f"Kubernetes {version}, namespace {self.namespace}, {len(pods['items'])} pods fit {self.selector or 'all'}"
        )

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        return self._connection.ask(method, path, body, query, content_type)

    def execute(self, pod: str, command: list[str], *, container: str = "", timeout_s: float = 30) -> tuple[int, str]:
        return self._connection.execute(self.namespace, pod, command, container, timeout_s)

    def close(self) -> None:
        self.__dict__.pop("_connection", None)

    @cached_property
    def _connection(self) -> Connection:
        return Connection(kubeconfig=self.kubeconfig, context=self.context, in_cluster=self.in_cluster)
