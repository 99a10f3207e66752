"""Leases for objects in a bucket: pre-images and the lease kept beside them; no bucket has a timer of its own.

The lease is an object ``PREFIX.chaosday-kept/LEASE/lease.json`` and the pre-image of each object that
will be hurt is beside it, all before the first is touched. Ending a fault puts pre-images back where
an object still carries the lease's mark (``x-amz-meta-chaosday-lease``), or is gone: what somebody else
has written since is newer and stays. Nobody calls this at the deadline, so a fault that relies on it
asks for ``accept_weak_lease``.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import orjson

from chaosday.errors import LeaseError
from chaosday.mechanisms.aws.objects import KEPT, Objects, head, listed
from chaosday.mechanisms.aws.session import spoken
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.record.signing import StoredLease, sealed, unsealed
from chaosday.record.signing import listed as one_listed

MARK = "chaosday-lease"
LARGEST_BYTES = 1 << 20


class ObjectLeases:
    """The lease holder of a bucket's prefix."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def arm(self, lease: Lease) -> None:
        """Keep a copy of every object named in the undo, then the lease."""
        keys = orjson.loads(str(lease.undo.data.get("keys", "[]")))
        s3, bucket = self._objects.s3(), self._objects.bucket
        with spoken(f"keeping the pre-images of {lease.id}"):
            for key in keys:
                source = {"Bucket": bucket, "Key": key}
                s3.copy_object(Bucket=bucket, Key=self._kept(lease.id, key), CopySource=source)
            self._write(lease, lease.ttl_s)

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
        for key in orjson.loads(str(given.data.get("keys", "[]"))) if given else []:
            self._put_back(lease_id, key)
        s3 = self._objects.s3()
        with spoken(f"removing what was kept for {lease_id}"):
            kept = [item["Key"] for item in listed(self._objects, self._folder(lease_id))]
            # The lease goes last: as long as a pre-image is there, it is known whose it is.
            for key in sorted(kept, key=lambda key: key.endswith("/lease.json")):
                _remove_every_version(s3, self._objects.bucket, key)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        left = [item["Key"] for item in listed(self._objects, self._folder(lease_id))]
        for key in orjson.loads(str(undo.data.get("keys", "[]"))) if undo else []:
            found = head(self._objects, key)
            if found is not None and found.get("Metadata", {}).get(MARK) == lease_id:
                left.append(f"{key} carries the mark of {lease_id}")
        return left

    def leases(self) -> list[LeaseState]:
        """Every lease under the prefix, found by its name alone."""
        found = []
        for item in listed(self._objects, self._objects.prefix + KEPT):
            if item["Key"].endswith("/lease.json"):
                found += one_listed(item["Key"].split("/")[-2], self._read)
        return found

    def _put_back(self, lease_id: str, key: str) -> None:
        if not key.startswith(self._objects.prefix):
            raise LeaseError(f"lease {lease_id} names {key!r}, which is not below {self._objects.prefix!r}")
        kept = self._kept(lease_id, key)
        now = head(self._objects, key)
        if head(self._objects, kept) is None or (now is not None and now.get("Metadata", {}).get(MARK) != lease_id):
            return
        with spoken(f"putting {key} back"):
            source = {"Bucket": self._objects.bucket, "Key": kept}
            self._objects.s3().copy_object(Bucket=self._objects.bucket, Key=key, CopySource=source)

    @property
    def _place(self) -> str:
        return f"s3:{self._objects.bucket}/{self._objects.prefix}"

    def _folder(self, lease_id: str) -> str:
        return f"{self._objects.prefix}{KEPT}{lease_id}/"

    def _kept(self, lease_id: str, key: str) -> str:
        return f"{self._folder(lease_id)}{quote(key, safe='')}"

    def _write(self, lease: Lease, ttl_s: float) -> None:
        body = sealed(lease, time.time() + ttl_s, self._place)
        with spoken(f"storing lease {lease.id}"):
            self._objects.s3().put_object(
                Bucket=self._objects.bucket, Key=f"{self._folder(lease.id)}lease.json", Body=body
            )

    def _read(self, lease_id: str) -> StoredLease | None:
        key = f"{self._folder(lease_id)}lease.json"
        if head(self._objects, key) is None:
            return None
        with spoken(f"reading lease {lease_id}"):
            body = self._objects.s3().get_object(Bucket=self._objects.bucket, Key=key)["Body"]
            document = body.read(LARGEST_BYTES)
        return unsealed(document, lease_id, self._place)


def _remove_every_version(s3: Any, bucket: str, key: str) -> None:
    s3.delete_object(Bucket=bucket, Key=key)
    found = s3.list_object_versions(Bucket=bucket, Prefix=key)
    for version in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
        if version["Key"] == key and version.get("VersionId") not in (None, "null"):
            s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
