"""Ending what a lease did to one object: reveal the version that was there, or put its pre-image back."""

from __future__ import annotations

from typing import Any

from chaosday.mechanisms.aws.object_state import given_again
from chaosday.mechanisms.aws.objects import Objects, entries, head
from chaosday.mechanisms.aws.session import spoken

MARK = "chaosday-lease"
_MARKERS = 5


def is_marked(found: dict[str, Any] | None, lease_id: str) -> bool:
    """Whether what HEAD says carries the lease's mark."""
    return found is not None and found.get("Metadata", {}).get(MARK) == lease_id


def put_back(objects: Objects, lease_id: str, key: str, kept: str, was: dict[str, Any]) -> None:
    """End the damage to ``key``; what somebody else has written since is newer and stays.

    ``was`` holds ``version``, the id of the version that was current, where the bucket keeps versions: ours are then
    taken away from above it, so that the object is the very one again. Otherwise the pre-image ``kept`` is copied back,
    with what a copy does not keep (``object_state``).
    """
    with spoken(f"putting {key} back"):
        if was.get("version"):
            _reveal(objects, lease_id, key, str(was["version"]))
        now = head(objects, key)
        if head(objects, kept) is None or (now is not None and not is_marked(now, lease_id)):
            return
        source = {"Bucket": objects.bucket, "Key": kept}
        again = given_again(was.get("attributes", {}))
        objects.patient_s3().copy_object(Bucket=objects.bucket, Key=key, CopySource=source, **again)


def _reveal(objects: Objects, lease_id: str, key: str, original: str) -> None:
    """Delete the versions that carry our mark, and a delete marker that hides the original where nothing newer does."""
    s3, bucket = objects.patient_s3(), objects.bucket
    versions = entries(objects, key, "Versions")
    marked = []
    for version in versions:
        if version["VersionId"] == original:
            continue
        found = s3.head_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
        if is_marked(found, lease_id):
            s3.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
            marked.append(version["VersionId"])
    here = [version for version in versions if version["VersionId"] == original]
    others = [v for v in versions if v["VersionId"] not in (original, *marked)]
    if not here or any(version["LastModified"] > here[0]["LastModified"] for version in others):
        return
    for _ in range(_MARKERS):
        latest = [each for each in entries(objects, key, "DeleteMarkers") if each.get("IsLatest")]
        if not latest:
            return
        s3.delete_object(Bucket=bucket, Key=key, VersionId=latest[0]["VersionId"])
