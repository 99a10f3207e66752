"""What an object is beside its bytes, and how it is put back whole.

A copy keeps content type, metadata and tags, and takes storage class, encryption, access list and redirect from the
bucket's defaults or the request (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html): an undo that
only copies leaves a cold object warm, an encrypted one plain and a public one private, with the same bytes.
"""

from __future__ import annotations

from typing import Any

from chaosday.errors import Refused
from chaosday.mechanisms.aws.objects import Objects, head
from chaosday.mechanisms.aws.session import spoken

# What HEAD says, and what COPY and PUT call it.
GIVEN_AGAIN = ("StorageClass", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "WebsiteRedirectLocation")
SEEN = (
    "ContentType", "ContentEncoding", "ContentLanguage", "ContentDisposition", "CacheControl", "Metadata",
    *GIVEN_AGAIN,
)  # fmt: skip
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
LARGEST_COPY_BYTES = 5 << 30
LONGEST_KEY_BYTES = 1024
_GRANT_ARGUMENTS = {
    "FULL_CONTROL": "GrantFullControl", "READ": "GrantRead", "READ_ACP": "GrantReadACP", "WRITE_ACP": "GrantWriteACP",
}  # fmt: skip
# What a store answers that has no such thing: it is then no part of the object either.
_NOT_THERE = ("NotImplemented", "MethodNotAllowed", "AccessControlListNotSupported", "ObjectLockConfigurationNotFound",
              "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration")  # fmt: skip


def attributes(objects: Objects, key: str) -> dict[str, Any]:
    """All that reads otherwise if an object is not put back whole; empty where it is not there."""
    found = head(objects, key)
    if found is None:
        return {}
    seen = {name: found[name] for name in SEEN if found.get(name)}
    if grants := _grants(objects, key):
        seen["grants"] = grants
    return seen


def given_again(kept: dict[str, Any]) -> dict[str, Any]:
    """What a copy has to be told for the object to come back whole: as arguments of ``copy_object``."""
    again = {name: kept[name] for name in GIVEN_AGAIN if name in kept}
    grants = kept.get("grants", [])
    # The owner's full control alone is what a copy has by itself, and all that a bucket without access lists takes.
    if [permission for permission, _ in grants] != ["FULL_CONTROL"]:
        for permission, name in _GRANT_ARGUMENTS.items():
            given = [_grantee(dict(grantee)) for granted, grantee in grants if granted == permission]
            again |= {name: ", ".join(given)} if given else {}
    return again


def refuse_what_stays(objects: Objects, longest_key: str) -> None:
    """``Refused`` where what a fault writes could not be taken away again, or its pre-image not be named."""
    if len(longest_key.encode()) > LONGEST_KEY_BYTES:
        raise Refused(f"the prefix of {objects.bucket} leaves no room for pre-images in a key of 1,024 bytes")
    lock = _asked(lambda: objects.patient_s3().get_object_lock_configuration(Bucket=objects.bucket), objects.bucket)
    retention = (lock or {}).get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
    if retention:
        length = f"{retention.get('Days') or retention.get('Years')} {'days' if retention.get('Days') else 'years'}"
        raise Refused(
            f"bucket {objects.bucket} locks what is written for {length} ({retention.get('Mode', '').lower()}): "
            "neither the damage nor the pre-images could be taken away; use a bucket without default retention"
        )


def copyable(item: dict[str, Any]) -> bool:
    """Whether one of a listing can be kept by a copy: not archived, and not beyond what one copy takes."""
    return item.get("StorageClass") not in ARCHIVED and int(item.get("Size", 0)) <= LARGEST_COPY_BYTES


def _grants(objects: Objects, key: str) -> list[list[Any]]:
    """Who may do what, each as [permission, grantee], sorted; empty where the store has no access lists."""
    said = _asked(lambda: objects.patient_s3().get_object_acl(Bucket=objects.bucket, Key=key), key)
    grants = [[grant["Permission"], sorted(grant["Grantee"].items())] for grant in (said or {}).get("Grants", [])]
    return [[permission, [list(pair) for pair in grantee]] for permission, grantee in sorted(grants)]


def _grantee(grantee: dict[str, str]) -> str:
    """As the x-amz-grant headers write one."""
    return f'uri="{grantee["URI"]}"' if "URI" in grantee else f'id="{grantee.get("ID", "")}"'


def _asked(ask: Any, what: str) -> dict[str, Any] | None:
    """The answer; None where the store knows no such thing, or we may not read it."""
    from botocore.exceptions import ClientError

    with spoken(f"looking at {what}"):
        try:
            answer: dict[str, Any] = ask()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if error.response.get("Error", {}).get("Code") in _NOT_THERE or status in (403, 404, 405, 501):
                return None
            raise
    return answer
