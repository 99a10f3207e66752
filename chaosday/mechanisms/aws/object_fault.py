"""What the faults on stored objects have in common: a scratch prefix, a choice of keys, pre-images, and digests."""

from __future__ import annotations

import hashlib
import random
from abc import abstractmethod
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import orjson
from pydantic import ConfigDict, Field

from chaosday.errors import Refused
from chaosday.mechanisms.aws.object_leases import kept_key
from chaosday.mechanisms.aws.object_state import attributes, copyable, refuse_what_stays
from chaosday.mechanisms.aws.objects import KEPT, SCRATCH_MARK, Objects, entries, head, listed, require_scratch
from chaosday.mechanisms.aws.session import spoken
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Target

ABSENT = "absent"


class ObjectFault(Fault):
    """Damages objects under a prefix that is marked as scratch, and puts them back.

    A bucket has no timer: only heal and recover put the objects back, which has to be accepted in so
    many words (``accept_weak_lease``).
    """

    requires: ClassVar[tuple[type[Any], ...]] = (Objects, LeaseHolder)
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)
    # Called otherwise than in its JSON: what has an attribute ``keys`` is a mapping for dict(), which is how Prefect
    # looks into a model.
    matching: str = Field(default="*", alias="keys")
    """Shell pattern on the part of the key after the store's prefix."""
    count: int = Field(default=1, ge=1, le=1000)
    """How many of the matching objects, chosen by the run's seed."""
    accept_weak_lease: bool = False
    unit: ClassVar[str] = "share of objects that read otherwise"

    @abstractmethod
    def damage(self, objects: Objects, key: str, plan: FaultPlan) -> None:
        """Hurt one object, leaving the lease's mark on what is written."""

    def eligible(self, objects: Objects, keys: list[str]) -> list[str]:
        """Those of the keys that this fault can hurt."""
        return keys

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        objects = target.capability(Objects)
        if not self.accept_weak_lease:
            raise Refused(
                f"{self.kind}: a bucket has no timer, so that only rollback and chaosday recover end this fault; "
                "set accept_weak_lease: true to accept that"
            )
        require_scratch(objects)
        chosen = self._chosen(objects, context.seed)
        refuse_what_stays(objects, kept_key(objects, context.lease_id, ""))
        state = {key: self._state(objects, key) for key in chosen}
        undo = {key: {"version": _current(objects, key), "attributes": state[key]["attributes"]} for key in chosen}
        return FaultPlan(
            lease=self.lease(context, Undo(data={"objects": orjson.dumps(undo).decode()})),
            affected=[f"{objects.bucket}/{key}" for key in chosen],
            snapshot=state,
            baseline=Reading(value=0, unit=self.unit, by="digest of a download"),
            mechanism="weak lease: only rollback and recover put the objects back",
            data={"keys": chosen, "seed": context.seed},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        objects = target.capability(Objects)
        with spoken(f"{self.kind} in {objects.bucket}"):
            for key in plan.data["keys"]:
                self.damage(objects, key, plan)

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        now = self.snapshot(target, plan)
        changed = [key for key in plan.data["keys"] if now[key]["body"] != plan.snapshot[key]["body"]]
        during = Reading(value=len(changed) / len(now), unit=self.unit, by="digest of a download")
        why = f"{self.kind}: {len(changed)} of {len(now)} objects read otherwise than before"
        return Bite(
            fault=self.kind, target=self.target, bit=bool(changed), baseline=plan.baseline, during=during, why=why
        )

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        objects = target.capability(Objects)
        return {key: self._state(objects, key) for key in plan.data["keys"]}

    def _state(self, objects: Objects, key: str) -> dict[str, Any]:
        return {"body": digest(objects, key), "attributes": attributes(objects, key)}

    def _chosen(self, objects: Objects, seed: int) -> list[str]:
        kept = objects.prefix + KEPT
        found = [item["Key"] for item in listed(objects, objects.prefix) if copyable(item)]
        own = [key for key in found if not key.startswith(kept) and not key.endswith(SCRATCH_MARK)]
        fitting = [key for key in own if fnmatchcase(key.removeprefix(objects.prefix), self.matching)]
        able = self.eligible(objects, fitting)
        if not able:
            raise Refused(f"{self.kind}: no object under {objects.bucket}/{objects.prefix} fits {self.matching!r}")
        return sorted(random.Random(seed).sample(sorted(able), min(self.count, len(able))))


def digest(objects: Objects, key: str) -> str:
    """SHA-256 of what a GET gives, or ``absent``."""
    if head(objects, key) is None:
        return ABSENT
    with spoken(f"reading {key}"):
        body = objects.patient_s3().get_object(Bucket=objects.bucket, Key=key)["Body"]
        found = hashlib.sha256()
        for piece in body.iter_chunks(1 << 20):
            found.update(piece)
    return found.hexdigest()


def versions_of(objects: Objects, key: str) -> list[dict[str, Any]]:
    """Every version of a key, newest first; delete markers are not among them."""
    with spoken(f"listing versions of {key}"):
        found = entries(objects, key, "Versions")
    return sorted(found, key=lambda version: version["LastModified"], reverse=True)


def _current(objects: Objects, key: str) -> str:
    """The id of the version that is current; empty where the bucket keeps none, or has stopped keeping them."""
    with spoken(f"looking at {key}"):
        found = objects.patient_s3().head_object(Bucket=objects.bucket, Key=key).get("VersionId", "")
    return "" if found == "null" else str(found)
