"""A change of a Kubernetes object, and its way back: patch, scale, rollout, exec."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from chaosday.actions.kubernetes.merging import ignored, moved, reverse
from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.cluster.api import MERGE, Kube, Thing, labelled
from chaosday.model.action import Reversible
from chaosday.model.target import Target
from chaosday.model.words import KUBE_NAME

RESTARTED = "kubectl.kubernetes.io/restartedAt"
WITHOUT_REVISIONS = ("ReplicaSet", "ReplicationController")
EVERY_S = 0.3


class KubernetesAction(Reversible):
    """Patches an object (a JSON merge patch), scales it, rolls its pods anew, or runs a command in a pod.

    With ``undo: back`` what was changed is read before, and put back as the run ends; a value that somebody else has
    changed meanwhile is theirs, and is left with an error. Scaling and rolling wait until every replica is ready. A
    command's undo is ``undo_command``, in the same pod. All of it is in the target's namespace.
    """

    kind: Literal["kubernetes"] = "kubernetes"
    do: Literal["patch", "scale", "rollout", "exec"] = "rollout"
    group: str = Field(default="apps", pattern=KUBE_NAME)
    version: str = Field(default="v1", pattern=KUBE_NAME)
    resource: str = Field(default="deployments", pattern=KUBE_NAME, description="In the plural, as in its API")
    name: str = Field(default="", pattern=KUBE_NAME, description="Of the object; for exec a pod, empty: one that fits")
    patch: dict[str, Any] = {}
    replicas: int = Field(default=1, ge=0, le=10_000)
    command: list[str] = []
    """Words of a command, which no shell reads: name one to have it so."""
    undo_command: list[str] = []
    container: str = Field(default="", pattern=KUBE_NAME)
    undo: Literal["", "back"] = ""
    timeout_s: float = Field(default=120, gt=0, le=3600)
    _before: dict[str, Any] | None = PrivateAttr(default=None)
    _after: dict[str, Any] | None = PrivateAttr(default=None)
    _pod: str = PrivateAttr(default="")
    _at: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.do == "exec" and self.undo:
            raise ValueError("undo: a command is not put back: say its undo_command, or that it is irreversible")
        if self.do != "exec" and self.undo_command:
            raise ValueError("undo_command: is for exec; say 'undo: back'")
        if self.do == "patch" and "status" in self.patch:
            raise ValueError("patch: a status is the controllers', and is not patched")
        return self

    @property
    def has_undo(self) -> bool:
        return bool(self.undo or self.undo_command)

    def lacking(self) -> str:
        if self.do == "exec" and not self.command:
            return "command: say what is run in the pod"
        if self.do == "patch" and not self.patch:
            return "patch: say what is changed"
        return super().lacking()

    def commands(self) -> list[str]:
        return [" ".join(each) for each in (self.command, self.undo_command) if each]

    def act(self, targets: Mapping[str, Target]) -> str:
        if self.do != "exec" and not self.name:
            # Not of all of them, which is what the address without a name would be.
            raise TargetUnreachable(f"name: say which of {self.resource} is meant")
        kube = targets[self.target].capability(Kube)
        if self.do == "exec":
            self._pod = self.name or _running(kube)
            return self._ran(kube, self.command)
        # One for each action: what is put back has to be told from what somebody else put there.
        self._at = self._at or datetime.now(UTC).isoformat()
        patch, path = self._patch(), self._path(kube)
        self._before = before = kube.ask("GET", path)
        began = time.monotonic()
        self._after = kube.ask("PATCH", path, patch, content_type=MERGE)
        if wrong := ignored(patch, before, self._after):
            raise TargetUnreachable(f"{self.name}: {', '.join(wrong)} did not become what was asked for")
        return self._waited(kube, began)

    def take_back(self, targets: Mapping[str, Target]) -> str:
        kube = targets[self.target].capability(Kube)
        if self.do == "exec":
            return self._ran(kube, self.undo_command) if self._pod else "it was never run"
        if self._before is None:
            return "nothing was changed"
        patch, path = self._patch(), self._path(kube)
        now = kube.ask("GET", path)
        # Of a patch whose answer was lost it is not known what became of it: what was asked for is taken for it.
        ours, theirs = moved(patch, self._before, self._after, now)
        if theirs:
            raise TargetUnreachable(f"{self.name}: {', '.join(theirs)} was changed by somebody else, and is left so")
        if not ours:
            return f"{self.name} is as it was"
        began = time.monotonic()
        kube.ask("PATCH", path, reverse(patch, self._before, now), content_type=MERGE)
        return f"{self._waited(kube, began)}, as it was"

    def _patch(self) -> dict[str, Any]:
        if self.do == "scale":
            return {"spec": {"replicas": self.replicas}}
        if self.do == "rollout":
            return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: self._at}}}}}
        return copy.deepcopy(self.patch)

    def _path(self, kube: Kube) -> str:
        where = {"group": self.group, "version": self.version, "resource": self.resource, "name": self.name}
        return Thing(**where, namespace=kube.namespace).path

    def _waited(self, kube: Kube, began: float) -> str:
        if self.do in ("scale", "rollout"):
            path, words = self._path(kube), f"{self.resource} {self.name} is not ready"
            _until(lambda: rolled(kube.ask("GET", path)), words, self.timeout_s)
        return f"{self.do} of {self.resource} {self.name}, in {time.monotonic() - began:.1f} s"

    def _ran(self, kube: Kube, command: list[str]) -> str:
        code, out = kube.execute(self._pod, command, container=self.container, timeout_s=self.timeout_s)
        said = (out.splitlines() or ["it printed nothing"])[-1][:200]
        if code:
            raise TargetUnreachable(f"in pod {self._pod} the command failed with exit code {code}: {said}")
        return f"in pod {self._pod} it ran: {said}"


def rolled(thing: Mapping[str, Any]) -> bool:
    """Whether its controller has seen the last change, and every replica is of it and ready.

    Of a DaemonSet there is one on each node that fits; a ReplicaSet has no older pods to be told apart.
    """
    status = thing.get("status", {})
    names = ["replicas", "readyReplicas", "updatedReplicas"]
    wanted = thing.get("spec", {}).get("replicas", 1)
    if thing.get("kind") == "DaemonSet":
        names, wanted = ["numberReady", "updatedNumberScheduled"], status.get("desiredNumberScheduled", 0)
    elif thing.get("kind") in WITHOUT_REVISIONS:
        names = names[:2]
    seen = status.get("observedGeneration", 0) >= thing["metadata"].get("generation", 0)
    return bool(seen and all(status.get(name, 0) == wanted for name in names))


def _running(kube: Kube) -> str:
    pods = labelled(kube, f"/api/v1/namespaces/{kube.namespace}/pods", kube.selector)
    names = sorted(each["metadata"]["name"] for each in pods if each.get("status", {}).get("phase") == "Running")
    if not names:
        raise TargetUnreachable(f"no pod runs that fits {kube.selector or 'any'} in namespace {kube.namespace}")
    return str(names[0])


def _until(done: Callable[[], bool], what: str, timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > until:
            raise TargetUnreachable(f"{what} after {timeout_s:g} s")
        time.sleep(EVERY_S)
