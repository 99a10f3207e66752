"""What a fault needs to be allowed, asked beforehand, and the Role that would allow what is missing."""

from __future__ import annotations

import json
from typing import Any

from chaosday.errors import AccessDenied
from chaosday.mechanisms.cluster.api import Kube, Thing
from chaosday.model.base import Model


class Need(Model):
    """One verb on one resource; ``subresource`` as in pods/exec."""

    verb: str
    thing: Thing
    subresource: str = ""


def require(kube: Kube, needs: list[Need]) -> None:
    """Return if all is allowed; ``AccessDenied`` with a ready Role for what is not, in one line of JSON."""
    missing = [need for need in needs if not _allowed(kube, need)]
    if missing:
        words = ", ".join(sorted({f"{each.verb} {_resource(each)}" for each in missing}))
        raise AccessDenied(f"not allowed: {words}; kubectl apply this and bind it to the experimenter: {role(missing)}")


def role(needs: list[Need], name: str = "chaosday-experimenter") -> str:
    """The least Role (ClusterRole, where something has no namespace) that allows ``needs``, as JSON."""
    namespaces = sorted({need.thing.namespace for need in needs})
    whole = "" in namespaces or len(namespaces) > 1
    meta = {"name": name} | ({} if whole else {"namespace": namespaces[0]})
    document = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole" if whole else "Role",
        "metadata": meta,
        "rules": rules(needs),
    }
    return json.dumps(document, separators=(",", ":"))


def rules(needs: list[Need], *, named: bool = False) -> list[dict[str, Any]]:
    """RBAC rules for ``needs``, one a resource (and name, if ``named``)."""
    grouped: dict[tuple[str, str, str], set[str]] = {}
    for need in needs:
        at = (need.thing.group, _resource(need), need.thing.name if named and need.verb != "create" else "")
        grouped.setdefault(at, set()).add(need.verb)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs)}
        | ({"resourceNames": [name]} if name else {})
        for (group, resource, name), verbs in sorted(grouped.items())
    ]


def _resource(need: Need) -> str:
    return f"{need.thing.resource}/{need.subresource}" if need.subresource else need.thing.resource


def _allowed(kube: Kube, need: Need) -> bool:
    thing = need.thing
    attributes = {"verb": need.verb, "group": thing.group, "version": thing.version, "resource": thing.resource}
    attributes |= {"namespace": thing.namespace} if thing.namespace else {}
    attributes |= {"subresource": need.subresource} if need.subresource else {}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = kube.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer.get("status", {}).get("allowed"))
