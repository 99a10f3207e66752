"""Leases for objects in a bucket: pre-images and the lease kept beside them; no bucket has a timer of its own.

The lease is an object ``PREFIX.chaosday-kept/LEASE/lease.json`` and the pre-image of each object that
will be hurt is beside it under the digest of its key, all before the first is touched; the lease comes first, so that
an arming that was killed half-way is found by ``recover``. Ending a fault puts objects back that still carry the
lease's mark (``x-amz-meta-chaosday-lease``), or are gone: what somebody else has written since is newer and stays
(``object_undo``). Nobody calls this at the deadline, so a fault that relies on it asks for ``accept_weak_lease``.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import orjson

from chaosday.errors import ChaosdayError, LeaseError
from chaosday.mechanisms.aws.object_undo import is_marked, put_back
from chaosday.mechanisms.aws.objects import KEPT, Objects, head, listed, remove_every_version
from chaosday.mechanisms.aws.session import spoken
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.record.signing import StoredLease, sealed, unsealed
from chaosday.record.signing import listed as one_listed

LARGEST_BYTES = 1 << 20


class ObjectLeases:
    """The lease holder of a bucket's prefix."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def arm(self, lease: Lease) -> None:
        """Keep the lease, then a copy of every object named in its undo; nothing stays where that fails."""
        s3, bucket = self._objects.patient_s3(), self._objects.bucket
        self._write(lease, lease.ttl_s)
        try:
            with spoken(f"keeping the pre-images of {lease.id}"):
                for key in _named(lease.undo):
                    source = {"Bucket": bucket, "Key": key}
                    s3.copy_object(Bucket=bucket, Key=kept_key(self._objects, lease.id, key), CopySource=source)
        except ChaosdayError as error:
            try:
                self._forget(lease.id)
            except ChaosdayError as left:
                raise LeaseError(f"{error}; what was kept for {lease.id} stays until recover: {left}") from None
            raise

    def renew(self, lease_id: str, ttl_s: float) -> None:
        stored = self._read(lease_id)
        if stored is None or stored.deadline_s < time.time():
            raise LeaseError(f"lease {lease_id} is over: it cannot be renewed")
        stored.trusted()
        self._write(stored.lease, ttl_s)

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Put back what still carries the mark or is gone, then forget pre-images and lease."""
        stored = self._read(lease_id)
        given = stored.trusted(undo) if stored is not None else undo
        for key, was in _named(given).items() if given else ():
            if not key.startswith(self._objects.prefix):
                raise LeaseError(f"lease {lease_id} names {key!r}, which is not below {self._objects.prefix!r}")
            put_back(self._objects, lease_id, key, kept_key(self._objects, lease_id, key), was)
        self._forget(lease_id)

    def _forget(self, lease_id: str) -> None:
        with spoken(f"removing what was kept for {lease_id}"):
            kept = [item["Key"] for item in listed(self._objects, _folder(self._objects, lease_id))]
            # The lease goes last: as long as a pre-image is there, it is known whose it is.
            for key in sorted(kept, key=lambda key: key.endswith("/lease.json")):
                remove_every_version(self._objects, key)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        left = [item["Key"] for item in listed(self._objects, _folder(self._objects, lease_id))]
        for key in _named(undo) if undo else ():
            if is_marked(head(self._objects, key), lease_id):
                left.append(f"{key} carries the mark of {lease_id}")
        return left

    def leases(self) -> list[LeaseState]:
        """Every lease under the prefix, found by its name alone."""
        found = []
        for item in listed(self._objects, self._objects.prefix + KEPT):
            if item["Key"].endswith("/lease.json"):
                found += one_listed(item["Key"].split("/")[-2], self._read)
        return found

    @property
    def _place(self) -> str:
        return f"s3:{self._objects.bucket}/{self._objects.prefix}"

    def _write(self, lease: Lease, ttl_s: float) -> None:
        body = sealed(lease, time.time() + ttl_s, self._place)
        with spoken(f"storing lease {lease.id}"):
            self._objects.patient_s3().put_object(
                Bucket=self._objects.bucket, Key=f"{_folder(self._objects, lease.id)}lease.json", Body=body
            )

    def _read(self, lease_id: str) -> StoredLease | None:
        key = f"{_folder(self._objects, lease_id)}lease.json"
        if head(self._objects, key) is None:
            return None
        with spoken(f"reading lease {lease_id}"):
            body = self._objects.patient_s3().get_object(Bucket=self._objects.bucket, Key=key)["Body"]
            document = body.read(LARGEST_BYTES)
        return unsealed(document, lease_id, self._place)


def kept_key(objects: Objects, lease_id: str, key: str) -> str:
    """Where an object's pre-image is kept: a key may be as long as a key can be, so that it is no part of the name."""
    return f"{_folder(objects, lease_id)}{hashlib.sha256(key.encode()).hexdigest()}"


def _folder(objects: Objects, lease_id: str) -> str:
    return f"{objects.prefix}{KEPT}{lease_id}/"


def _named(undo: Undo) -> dict[str, dict[str, Any]]:
    """Each object of an undo, with what it was (``object_undo.put_back``)."""
    found: dict[str, dict[str, Any]] = orjson.loads(str(undo.data.get("objects", "{}")))
    return found
