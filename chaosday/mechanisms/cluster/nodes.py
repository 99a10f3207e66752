"""Nodes as things to hurt."""

from __future__ import annotations

from typing import Any

from chaosday.errors import Refused, UsageError
from chaosday.mechanisms.cluster.api import Change, Kube, Thing, labelled

TAINT = "node.kubernetes.io/unschedulable"
NODES = Thing(resource="nodes")


def chosen(kube: Kube, kind: str, names: list[str]) -> list[dict[str, Any]]:
    """The named nodes, all schedulable: one that is cordoned already is somebody else's work."""
    if not names:
        raise UsageError(f"{kind}: name the nodes")
    found = {one["metadata"]["name"]: one for one in labelled(kube, NODES.path, "")}
    for name in names:
        if name not in found:
            raise Refused(f"{kind}: no node is called {name}; there are {', '.join(sorted(found))}")
        if found[name]["spec"].get("unschedulable"):
            raise Refused(f"{kind}: {name} is cordoned already, by somebody else")
    return [{"name": name} for name in names]


def node(name: str) -> Thing:
    """One node."""
    return Thing(resource="nodes", name=name)


def uncordon(things: list[dict[str, Any]]) -> list[Change]:
    """The undo of a cordon."""
    return [Change(verb="patch", thing=node(one["name"]), body={"spec": {"unschedulable": None}}) for one in things]


def tainted(kube: Kube, names: list[str]) -> float:
    """How many of the nodes the node controller itself has marked as closed."""
    found = [one for one in labelled(kube, NODES.path, "") if one["metadata"]["name"] in names]
    return sum(any(each["key"] == TAINT for each in one["spec"].get("taints") or []) for one in found)
