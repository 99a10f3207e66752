"""Leases in a cluster: a coordination Lease with the undo in it, and a Job that runs it when nobody renews.

::

    Lease cd-...            labels: lease, run; annotation: the undo; renewTime: our last sign of life
      owns Job, ServiceAccount, Role, RoleBinding cd-...     and every helper pod

The Job's pod reads ``renewTime`` every second. While it changes, somebody is alive; when it has not
changed for the lease's duration by the pod's own monotonic clock, the pod runs the undo with kubectl,
as a service account that may do just that, and deletes the Lease, whereupon the cluster's garbage
collector takes everything that it owns. Arming returns once that pod has read the Lease.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from datetime import UTC, datetime
from typing import Any

import orjson

from chaosday.errors import AccessDenied, ChaosdayError, LeaseError
from chaosday.mechanisms.cluster.api import MERGE, Change, Kube, RequestFailed, Thing, apply, labelled, literal
from chaosday.mechanisms.cluster.labels import FAULT, LEASE, MAC, RUN, UNDO, marks
from chaosday.mechanisms.cluster.permissions import Need, rules
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.record.signing import is_ours, lease_mac, not_ours

COORDINATION = "coordination.k8s.io"
RBAC = "rbac.authorization.k8s.io"
START_TIMEOUT_S = 90.0
VERBS = {"patch": ["get", "patch"], "strategic": ["get", "patch"], "delete": ["get", "delete"]}
KINDS = {"patch": "merge", "strategic": "strategic"}
OWNED = (
    ("batch", "jobs"),
    ("", "pods"),
    ("", "serviceaccounts"),
    (RBAC, "roles"),
    (RBAC, "rolebindings"),
    ("networking.k8s.io", "networkpolicies"),
    (RBAC, "clusterroles"),
    (RBAC, "clusterrolebindings"),
)


class ClusterLeases:
    """The lease holder of a namespace."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def arm(self, lease: Lease) -> None:
        made = self._kube.ask("POST", self._thing().path, self._document(lease))
        owner = owner_of(made)
        try:
            for thing, document in self._watcher(lease, owner):
                self._kube.ask("POST", thing.path, document)
            self._wait_for_watcher(lease.id)
        except ChaosdayError as error:
            self._forget(lease.id)
            raise LeaseError(f"lease {lease.id} could not be armed, nothing was injected: {error}") from None

    def renew(self, lease_id: str, ttl_s: float) -> None:
        stored = self._read(lease_id)
        if stored is None or _left_s(stored) < 0:
            raise LeaseError(f"lease {lease_id} is over: it cannot be renewed")
        spec = {"renewTime": _now(), "leaseDurationSeconds": _whole(ttl_s)}
        # The version read is the fence: if the watcher or another experimenter was there first, this fails.
        meta = {"resourceVersion": stored["metadata"]["resourceVersion"]}
        try:
            self._kube.ask("PATCH", self._thing(lease_id).path, {"metadata": meta, "spec": spec}, content_type=MERGE)
        except RequestFailed as error:
            raise LeaseError(f"lease {lease_id} could not be renewed: {error}") from None

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Run the undo, all of it whatever fails, and delete the Lease and with it what it owns."""
        stored = self._read(lease_id)
        if stored is None:
            self._sweep(lease_id)
            return
        failed = []
        for change in changes_of(self._trusted(lease_id, stored, undo)):
            try:
                apply(self._kube, change)
            except ChaosdayError as error:
                failed.append(str(error))
        if failed:
            raise LeaseError(f"lease {lease_id}: {len(failed)} of its undo failed, first: {failed[0]}")
        self._forget(lease_id)
        self._sweep(lease_id)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        """Everything in the namespace, or without one, that carries the lease's label and is not going already."""
        left = [f"leases {lease_id}"] if self._read(lease_id) is not None else []
        return left + [f"{thing.resource} {thing.name}" for thing in self._marked(lease_id)]

    def leases(self) -> list[LeaseState]:
        found = []
        for item in labelled(self._kube, self._thing().path, LEASE):
            meta, name = item["metadata"], str(item["metadata"]["name"])
            ours = self._is_ours(name, meta.get("annotations", {}))
            # Anybody may have made it, with any of this missing: it must not hide the others.
            run, fault = str(meta["labels"].get(RUN, "")), str(meta.get("annotations", {}).get(FAULT, ""))
            left_s = _left_s(item) if ours else 0.0
            detail = "" if ours else "not signed by this worker"
            found.append(LeaseState(id=name, run=run, fault=fault, remaining_s=left_s, detail=detail))
        return found

    def _where(self) -> str:
        return f"kubernetes:{self._kube.namespace}"

    def _is_ours(self, lease_id: str, annotations: dict[str, str]) -> bool:
        undo = annotations.get(UNDO, "").encode()
        return is_ours(annotations.get(MAC, ""), self._where(), lease_id, undo)

    def _trusted(self, lease_id: str, stored: dict[str, Any], undo: Undo | None) -> str:
        """The changes that may be made: those stored where we signed them, else what the caller knows by itself."""
        annotations = stored["metadata"].get("annotations", {})
        if self._is_ours(lease_id, annotations):
            return str(annotations[UNDO])
        if undo is None:
            raise not_ours(lease_id)
        return str(undo.data.get("changes", "[]"))

    def _thing(self, name: str = "") -> Thing:
        place = {"namespace": self._kube.namespace, "name": name}
        return Thing(group=COORDINATION, resource="leases", **place)

    def _owned(self) -> list[Thing]:
        namespace = self._kube.namespace
        return [
            Thing(group=group, resource=resource, namespace="" if resource.startswith("cluster") else namespace)
            for group, resource in OWNED
        ]

    def _read(self, lease_id: str) -> dict[str, Any] | None:
        try:
            return self._kube.ask("GET", self._thing(lease_id).path)
        except RequestFailed as error:
            if error.status == 404:
                return None
            raise

    def _forget(self, lease_id: str) -> None:
        apply(self._kube, Change(verb="delete", thing=self._thing(lease_id)))

    def _sweep(self, lease_id: str) -> None:
        """Delete what carries the label, rather than wait for the garbage collector to find that its owner is gone."""
        # By name too: whoever may set labels could otherwise have us delete what is not ours.
        for thing in (each for each in self._marked(lease_id) if each.name.startswith(lease_id)):
            apply(self._kube, Change(verb="delete", thing=thing, body={"gracePeriodSeconds": 0}))

    def _marked(self, lease_id: str) -> list[Thing]:
        """Everything that carries the lease's label, by kind and name."""
        found = []
        for thing in self._owned():
            # Who may not see the cluster's own roles could not have made one.
            with contextlib.suppress(*([AccessDenied] if not thing.namespace else [])):
                items = labelled(self._kube, thing.path, f"{LEASE}={lease_id}")
                found += [thing.model_copy(update={"name": item["metadata"]["name"]}) for item in items]
        return found

    def _document(self, lease: Lease) -> dict[str, Any]:
        changes = str(lease.undo.data.get("changes", "[]"))
        signature = lease_mac(self._where(), lease.id, changes.encode())
        return {
            "apiVersion": f"{COORDINATION}/v1",
            "kind": "Lease",
            "metadata": {
                "name": lease.id,
                "labels": marks(lease.id, lease.run),
                "annotations": {UNDO: changes, MAC: signature, FAULT: lease.fault},
            },
            "spec": {
                "holderIdentity": lease.run,
                "leaseDurationSeconds": _whole(lease.ttl_s),
                "acquireTime": _now(),
                "renewTime": _now(),
            },
        }

    def _watcher(self, lease: Lease, owner: dict[str, Any]) -> list[tuple[Thing, dict[str, Any]]]:
        changes = changes_of(str(lease.undo.data.get("changes", "[]")))
        meta = {"name": lease.id, "labels": marks(lease.id, lease.run), "ownerReferences": [owner]}
        needs = [Need(verb=verb, thing=self._thing(lease.id)) for verb in ("get", "delete")]
        needs += needs_of(changes)
        made: list[tuple[Thing, dict[str, Any]]] = [
            (self._place("", "serviceaccounts"), {"metadata": meta}),
        ]
        for whole in (False, True):
            part = [need for need in needs if (need.thing.namespace == "") == whole]
            if part:
                made += self._grant(meta, part, lease.id, whole=whole)
        spec = {
            "restartPolicy": "OnFailure",
            # A cordoned or failing node is no reason not to end what closed it.
            "tolerations": [{"operator": "Exists"}],
            "serviceAccountName": lease.id,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "watcher",
                    "image": self._kube.helper_image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", literal(self._script(lease, changes))],
                    # Ready means that it has read the Lease: the API can be reached and it is allowed to.
                    "readinessProbe": {"exec": {"command": ["test", "-f", "/tmp/watching"]}, "periodSeconds": 1},
                }
            ],
        }
        template = {"metadata": {"labels": marks(lease.id, lease.run)}, "spec": spec}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template}}
        return [*made, (self._place("batch", "jobs"), job)]

    def _grant(
        self, meta: dict[str, Any], needs: list[Need], name: str, *, whole: bool
    ) -> list[tuple[Thing, dict[str, Any]]]:
        kind = "ClusterRole" if whole else "Role"
        # Nothing without a namespace can be owned by something in one: those are swept by label.
        own = {**meta, "ownerReferences": []} if whole else meta
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self._kube.namespace}
        binding = {
            "metadata": own,
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
            "subjects": [subject],
        }
        plural = kind.lower() + "s"
        return [
            (self._place(RBAC, plural, whole=whole), {"metadata": own, "rules": rules(needs, named=True)}),
            (self._place(RBAC, f"{kind.lower()}bindings", whole=whole), binding),
        ]

    def _place(self, group: str, resource: str, *, whole: bool = False) -> Thing:
        return Thing(group=group, resource=resource, namespace="" if whole else self._kube.namespace)

    def _script(self, lease: Lease, changes: list[Change]) -> str:
        tool = "kubectl"
        if self._kube.inside_url:
            folder = "/var/run/secrets/kubernetes.io/serviceaccount"
            tool = (
                f"kubectl --server={shlex.quote(self._kube.inside_url)} --certificate-authority={folder}/ca.crt "
                f'--token="$(cat {folder}/token)"'
            )
        namespace = shlex.quote(self._kube.namespace)
        read = "{.spec.renewTime} {.spec.leaseDurationSeconds}"
        undo = "\n".join(f"{_kubectl(change)} || failed=1" for change in changes)
        return f"""
k() {{ {tool} --request-timeout=10s "$@"; }}
now() {{ cut -d. -f1 /proc/uptime; }}
seen= since=$(now) length={_whole(lease.ttl_s)}
while :; do
  if said=$(k -n {namespace} get lease {lease.id} -o jsonpath={shlex.quote(read)} 2>&1); then
    : >/tmp/watching
    [ "$said" = "$seen" ] || {{ seen=$said since=$(now) length=${{said##* }}; }}
  else
    case $said in *NotFound*) exit 0 ;; esac
  fi
  [ $(( $(now) - since )) -lt "$length" ] || break
  sleep 1
done
failed=
{undo}
[ -z "$failed" ] || exit 1
k -n {namespace} delete lease {lease.id} --wait=false
"""

    def _wait_for_watcher(self, lease_id: str) -> None:
        pods = Thing(resource="pods", namespace=self._kube.namespace).path
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            for pod in labelled(self._kube, pods, f"{LEASE}={lease_id},job-name={lease_id}"):
                conditions = pod.get("status", {}).get("conditions", [])
                if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
                    return
            if time.monotonic() > deadline:
                raise LeaseError(
                    f"its watcher did not read it within {START_TIMEOUT_S:.0f} s; is {self._kube.helper_image} there?"
                )
            time.sleep(0.3)


def changes_of(text: str) -> list[Change]:
    """The undo, as it is stored."""
    return [Change.model_validate(each) for each in orjson.loads(text)]


def undo_of(changes: list[Change]) -> Undo:
    """An undo that is ``changes``."""
    return Undo(data={"changes": orjson.dumps([each.model_dump(mode="json") for each in changes]).decode()})


def needs_of(changes: list[Change]) -> list[Need]:
    """What whoever makes the changes has to be allowed."""
    needs = []
    for change in changes:
        if change.verb == "exec":
            needs += [Need(verb="get", thing=change.thing), Need(verb="create", thing=change.thing, subresource="exec")]
        else:
            needs += [Need(verb=verb, thing=change.thing) for verb in VERBS[change.verb]]
    return needs


def owner_of(made: dict[str, Any]) -> dict[str, Any]:
    """A reference to a Lease, so that what refers to it goes with it."""
    meta = made["metadata"]
    return {"apiVersion": f"{COORDINATION}/v1", "kind": "Lease", "name": meta["name"], "uid": meta["uid"]}


def _kubectl(change: Change) -> str:
    thing = change.thing
    place = f"-n {shlex.quote(thing.namespace)} " if thing.namespace else ""
    if change.verb in KINDS:
        how = f"--type={KINDS[change.verb]} -p {shlex.quote(json.dumps(change.body))}"
        return f"k {place}patch {thing.kubectl} {shlex.quote(thing.name)} {how}"
    if change.verb == "exec":
        inside = f"-c {shlex.quote(change.container)} " if change.container else ""
        return f"k {place}exec {shlex.quote(thing.name)} {inside}-- {shlex.join(change.command)}"
    return f"k {place}delete {thing.kubectl} {shlex.quote(thing.name)} --ignore-not-found --wait=false"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _left_s(stored: dict[str, Any]) -> float:
    renewed = datetime.fromisoformat(stored["spec"]["renewTime"])
    return float(stored["spec"]["leaseDurationSeconds"]) - (datetime.now(UTC) - renewed).total_seconds()


def _whole(seconds: float) -> int:
    return max(1, -int(-seconds // 1))
