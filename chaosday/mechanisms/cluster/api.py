"""Requests to a Kubernetes API server, in plain JSON, over the official client's configuration and transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlencode

from pydantic import Field

from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, TargetUnreachable
from chaosday.model.base import Model
from chaosday.model.words import KUBE_NAME
from chaosday.processes.limits.bodies import TooMuch, whole_body

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PATCHES = {"patch": MERGE, "strategic": STRATEGIC}
TIMEOUT_S = 30.0


class RequestFailed(ChaosdayError):
    """The API server refused a request for a reason of its own; ``status`` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class Thing(Model):
    """An object of the cluster by place and name; ``namespace`` is empty for nodes and the like."""

    group: str = Field(default="", pattern=KUBE_NAME)
    version: str = Field(default="v1", pattern=KUBE_NAME)
    resource: str = Field(pattern=KUBE_NAME)
    name: str = Field(default="", pattern=KUBE_NAME)
    namespace: str = Field(default="", pattern=KUBE_NAME)

    @property
    def path(self) -> str:
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{base}{place}/{self.resource}" + (f"/{self.name}" if self.name else "")

    @property
    def kubectl(self) -> str:
        """How kubectl names it."""
        return f"{self.resource}.{self.version}.{self.group}" if self.group else self.resource


class Change(Model):
    """One change of one object, as data.

    ``patch`` is a merge patch, ``strategic`` merges lists by their keys, ``delete`` a deletion in the
    background, ``exec`` a command in a container.
    """

    verb: str
    thing: Thing
    body: dict[str, Any] = {}
    container: str = ""
    command: list[str] = []


@runtime_checkable
class Kube(Protocol):
    """A cluster, and a namespace and label selector in it."""

    @property
    def namespace(self) -> str: ...

    @property
    def selector(self) -> str: ...

    @property
    def helper_image(self) -> str: ...

    @property
    def inside_url(self) -> str: ...

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """One request; ``RequestFailed`` with the status, ``AccessDenied`` for 401 and 403."""

    def execute(self, pod: str, command: list[str], *, container: str = "", timeout_s: float = 30) -> tuple[int, str]:
        """Run a command in a pod of the namespace; its exit code and what it printed."""


class Connection:
    """The official client, used for what does not change between its versions: configuration and transport."""

    def __init__(self, *, kubeconfig: str, context: str, in_cluster: bool) -> None:
        try:
            from kubernetes import client, config
        except ImportError:
            raise CapabilityMissing("Kubernetes targets need the client: pip install 'chaosday[kubernetes]'") from None
        configuration = client.Configuration()
        try:
            if in_cluster:
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            else:
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    kubeconfig or None, context or None, client_configuration=configuration
                )
        except (config.ConfigException, OSError) as error:
            raise TargetUnreachable(f"no usable kubeconfig: {' '.join(str(error).split())[:160]}") from None
        configuration.retries = False
        self.client = client.ApiClient(configuration)

    def ask(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None, content_type: str
    ) -> dict[str, Any]:
        import urllib3

        configuration = self.client.configuration
        headers = {"Accept": "application/json", "Content-Type": content_type}
        headers |= {each["key"]: each["value"] for each in configuration.auth_settings().values() if each.get("value")}
        url = f"{configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        pool = self.client.rest_client.pool_manager
        data = json.dumps(body).encode() if body is not None else None
        try:
            answer = pool.request(
                method, url, body=data, headers=headers, timeout=TIMEOUT_S, retries=False, preload_content=False
            )
            text = whole_body(answer, 3 * TIMEOUT_S)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, TooMuch) as error:
            raise TargetUnreachable(f"{configuration.host} does not answer: {type(error).__name__}") from None
        said = _json(text)
        if answer.status < 400 and not text.lstrip().startswith(b"{") and text:
            raise TargetUnreachable(f"{configuration.host} does not speak Kubernetes: {method} {path} is no JSON")
        if answer.status >= 400:
            words = " ".join(str(said.get("message", answer.reason)).split())[:200]
            if answer.status in (401, 403):
                raise AccessDenied(f"{method} {path}: {words or 'forbidden'}; see the Role that planning prints")
            raise RequestFailed(f"{method} {path}: {words}", int(answer.status))
        return said

    def execute(
        self, namespace: str, pod: str, command: list[str], container: str, timeout_s: float
    ) -> tuple[int, str]:
        from kubernetes import client, stream
        from kubernetes.client.exceptions import ApiException

        # A client of its own: stream() swaps the transport of the client it is given while it connects.
        core = client.CoreV1Api(client.ApiClient(self.client.configuration))
        named = {"container": container} if container else {}
        try:
            wire = stream.stream(
                core.connect_get_namespaced_pod_exec, pod, namespace, command=command, stderr=True, stdout=True,
                stdin=False, tty=False, _preload_content=False, **named,
            )  # fmt: skip
        except ApiException as error:
            raise RequestFailed(f"exec in {pod}: {error.reason}", int(error.status or 0)) from None
        wire.run_forever(timeout=timeout_s)
        code = wire.returncode  # before read_all(), which forgets it
        out = wire.read_all()
        wire.close()
        return (255 if code is None else int(code)), out


def _json(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {"message": data[:200].decode("utf-8", "replace")}
    return said if isinstance(said, dict) else {}


def apply(kube: Kube, change: Change) -> None:
    """Make a change; what is gone already needs no deletion and no patch."""
    try:
        if change.verb in PATCHES:
            kube.ask("PATCH", change.thing.path, change.body, content_type=PATCHES[change.verb])
        elif change.verb == "delete":
            kube.ask("DELETE", change.thing.path, {"propagationPolicy": "Background", **change.body})
        elif change.verb == "exec":
            code, out = kube.execute(change.thing.name, change.command, container=change.container)
            if code:
                raise RequestFailed(f"in {change.thing.name}: exit {code}: {' '.join(out.split())[:120]}", 0)
    except RequestFailed as error:
        if error.status != 404:
            raise


def literal(script: str) -> str:
    """A script as it has to stand in a container's command, where Kubernetes takes ``$$`` for ``$``."""
    return script.replace("$", "$$")


def labelled(kube: Kube, path: str, selector: str) -> list[dict[str, Any]]:
    """Everything of one kind that a label selector fits."""
    found = kube.ask("GET", path, query={"labelSelector": selector} if selector else None)
    return list(found.get("items", []))
