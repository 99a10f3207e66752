"""The capability of an object store, and the mark by which a bucket or prefix is known to be scratch."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from chaosday.errors import ScratchMarkMissing
from chaosday.mechanisms.aws.session import explained, spoken

SCRATCH_MARK = ".chaosday-scratch"
KEPT = ".chaosday-kept/"


@runtime_checkable
class Objects(Protocol):
    """A bucket and a prefix in it."""

    @property
    def bucket(self) -> str: ...

    @property
    def prefix(self) -> str: ...

    def s3(self) -> Any:
        """A boto3 S3 client that tries as often as the target says."""

    def patient_s3(self) -> Any:
        """One that tries again, for what has to come to its end: keeping, looking, undoing."""

    def is_aws(self) -> bool:
        """Whether this is S3 in an AWS account, where a scheduler can call back without us."""


def mark_as_scratch(objects: Objects) -> None:
    """Say that everything under the prefix may be damaged: an empty object with a known name."""
    with spoken(f"marking {objects.bucket}/{objects.prefix} as scratch"):
        objects.patient_s3().put_object(Bucket=objects.bucket, Key=objects.prefix + SCRATCH_MARK, Body=b"")


def require_scratch(objects: Objects) -> None:
    """Return if the prefix carries the mark; ``ScratchMarkMissing`` with the way to set it if not."""
    if head(objects, objects.prefix + SCRATCH_MARK) is None:
        raise ScratchMarkMissing(
            f"{objects.bucket}/{objects.prefix} is not marked as scratch: put an empty object "
            f"{objects.prefix}{SCRATCH_MARK} there if everything under it may be damaged"
        )


def head(objects: Objects, key: str) -> dict[str, Any] | None:
    """What HEAD says of a key; None where there is no such object."""
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = objects.patient_s3().head_object(Bucket=objects.bucket, Key=key)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return None
        raise explained(error, f"looking at {objects.bucket}/{key}") or error from None
    return found


def listed(objects: Objects, prefix: str) -> list[dict[str, Any]]:
    """Every object under ``prefix``: key, size, ETag."""
    found: list[dict[str, Any]] = []
    with spoken(f"listing {objects.bucket}/{prefix}"):
        for page in (
            objects.patient_s3().get_paginator("list_objects_v2").paginate(Bucket=objects.bucket, Prefix=prefix)
        ):
            found += page.get("Contents", [])
    return found


def entries(objects: Objects, key: str, *kinds: str) -> list[dict[str, Any]]:
    """Every version (``Versions``), delete marker (``DeleteMarkers``), or both, of a key."""
    pages = objects.patient_s3().get_paginator("list_object_versions").paginate(Bucket=objects.bucket, Prefix=key)
    return [each for page in pages for kind in kinds for each in page.get(kind, []) if each["Key"] == key]


def remove_every_version(objects: Objects, key: str) -> None:
    """Take an object away with all that a bucket which keeps versions would keep of it."""
    s3 = objects.patient_s3()
    with spoken(f"removing {key}"):
        s3.delete_object(Bucket=objects.bucket, Key=key)
        for version in entries(objects, key, "Versions", "DeleteMarkers"):
            if version.get("VersionId") not in (None, "null"):
                s3.delete_object(Bucket=objects.bucket, Key=key, VersionId=version["VersionId"])
