"""The action kubernetes: what a file has to say, and what puts a change back exactly."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chaosday.actions.kubernetes.change import KubernetesAction, rolled
from chaosday.actions.kubernetes.merging import ignored, moved, reverse
from chaosday.errors import InvalidExperiment, TargetUnreachable
from chaosday.model.experiment import parse

pytestmark = pytest.mark.kernel

CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"spec": {"replicas": 3}}, {"spec": {"replicas": 1, "paused": True}}),
    ({"metadata": {"labels": {"x": "1"}}}, {"metadata": {"name": "n"}}),
    ({"metadata": {"labels": {"x": None}}}, {"metadata": {"labels": {"x": "0", "y": "2"}}}),
    ({"data": {"a": "2", "b": "3"}}, {"data": {"a": "1"}}),
    ({"spec": {"list": [1, 2]}}, {"spec": {"list": [{"deep": [3]}]}}),
    ({"spec": {"x": {"y": 1}}}, {"spec": {"x": "text"}}),
    ({"spec": {"x": "text"}}, {"spec": {"x": {"y": 1}}}),
]


def merged(value: Any, patch: Any) -> Any:
    """RFC 7386, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for key, each in patch.items():
        if each is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), each)
    return made


@pytest.mark.parametrize(("patch", "before"), CASES)
def test_what_is_put_back_is_what_was_there(patch: dict[str, Any], before: dict[str, Any]) -> None:
    """The patch, then its reverse: nothing differs in what was touched, and nothing in what was not."""
    after = merged(before, patch)
    assert ignored(patch, before, after) == [] and ignored(patch, before, before)
    ours, theirs = moved(patch, before, after, after)
    assert ours and not theirs and moved(patch, before, after, before) == ([], [])
    assert merged(after, reverse(patch, before, after)) == before


def test_what_a_server_makes_of_a_patch_is_ours_and_what_is_beside_it_is_not() -> None:
    """Defaults within a list and another writing of a quantity are no change of somebody else's; an annotation is."""
    patch = {
        "spec": {"containers": [{"name": "a"}], "limits": {"cpu": "1000m"}},
        "metadata": {"annotations": {"x": "1"}},
    }
    before: dict[str, Any] = {"spec": {"containers": [], "limits": {"cpu": "2"}}, "metadata": {}}
    after = merged(before, patch)
    after["spec"] = {"containers": [{"name": "a", "pull": "Always"}], "limits": {"cpu": "1"}}
    assert ignored(patch, before, after) == []
    now = merged(after, {"metadata": {"annotations": {"theirs": "2"}}})
    assert moved(patch, before, after, now)[1] == []
    put_back = merged(now, reverse(patch, before, now))
    assert put_back == {**before, "metadata": {"annotations": {"theirs": "2"}}}
    assert moved(patch, before, after, merged(now, {"spec": {"limits": {"cpu": "3"}}}))[1] == ["spec.limits.cpu"]
    assert moved(patch, before, None, merged(before, patch))[1] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"do": "exec", "command": ["true"], "undo": "back"}, "undo_command"),
        ({"do": "scale", "undo_command": ["true"]}, "undo: back"),
        ({"do": "patch", "patch": {"status": {}}}, "status"),
        ({"do": "delete"}, "do"),
        ({"name": "../../secrets/x"}, "name"),
        ({"replicas": -1}, "replicas"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], words: str) -> None:
    """By its field, before the cluster is asked."""
    with pytest.raises(ValidationError, match=words):
        KubernetesAction.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"do": "exec", "undo_command": ["true"]}, "say what is run"),
        ({"do": "patch", "name": "web", "undo": "back"}, "say what is changed"),
        ({"do": "scale", "name": "web"}, "say its undo"),
        ({"do": "scale", "name": "web", "undo": "back", "irreversible": True}, "it says both"),
    ],
)
def test_what_a_file_has_to_say_still_is_named(fields: dict[str, Any], words: str) -> None:
    """With its place in the file; a form, which has a default for everything, is not in the way."""
    assert KubernetesAction.model_validate(fields)
    action = {"kind": "kubernetes", "target": "c", **fields}
    with pytest.raises(InvalidExperiment, match=rf"actions\.0: .*{words}"):
        parse({
            "targets": {"c": {"kind": "kubernetes_cluster"}},
            "workloads": [{"kind": "set", "target": "c"}],
            "checks": [{"kind": "set"}],
            "actions": [action],
        })  # fmt: skip


def test_what_has_no_name_is_not_changed() -> None:
    """Before the cluster is asked: without a name its address would be that of all of them."""
    for do in ("scale", "rollout", "patch"):
        with pytest.raises(TargetUnreachable, match="say which of deployments"):
            KubernetesAction.model_validate({"do": do, "target": "c", "patch": {"x": 1}}).act({})


def test_a_rollout_is_over_when_the_controller_has_seen_it_and_all_are_ready() -> None:
    """Not while it is unseen, nor while old pods go or new ones come."""
    ready = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
    thing: dict[str, Any] = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": ready}
    assert rolled(thing)
    for change in ({"observedGeneration": 1}, {"replicas": 3}, {"updatedReplicas": 1}, {"readyReplicas": 1}):
        assert not rolled({**thing, "status": ready | change})
    older = {name: count for name, count in ready.items() if name != "updatedReplicas"}
    assert rolled({**thing, "kind": "ReplicaSet", "status": older}) and not rolled({**thing, "status": older})
    nodes = {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3}
    daemons: dict[str, Any] = {"kind": "DaemonSet", "metadata": {"generation": 2}, "spec": {}}
    assert rolled({**daemons, "status": nodes}) and not rolled({**daemons, "status": nodes | {"numberReady": 2}})
