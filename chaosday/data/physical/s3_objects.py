"""The checksums that an S3 store keeps, computed again from the bytes it gives out.

A store answers HEAD and lists from its index: on one whose data file had rotted, HEAD went on giving
the old checksum while GET failed. So every object is read.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from chaosday.clients.objects import CHECKSUMS, Bucket, Listed
from chaosday.errors import AccessDenied, TargetUnreachable

WORKERS = 4


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self.value = 0

    def update(self, data: bytes, /) -> None:
        self.value = zlib.crc32(data, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")


def observe_objects(bucket: Bucket, prefix: str = "") -> dict[str, Any]:
    """Read every object under a prefix and compare it with what the store keeps about it.

    Gives for each of ``objects``: ``key``, ``size_bytes``, ``verified`` (checksums that held), ``wrong``
    (that did not), ``unverifiable`` (kept, but not to be computed here) and ``error``.
    """
    import botocore

    listed = bucket.listing(prefix)
    with ThreadPoolExecutor(WORKERS) as pool:
        objects = list(pool.map(lambda one: _object(bucket, one), listed))
    # Somebody may have written meanwhile: an object that is another one now is not a damaged one.
    now = {one.key: one.etag for one in bucket.listing(prefix)}
    for one, said in zip(listed, objects, strict=True):
        said["changed"] = now.get(one.key) != one.etag
    source = f"s3://{bucket.name}/{prefix}"
    return {"tool": "botocore", "version": botocore.__version__, "source": source, "objects": objects}


def _object(bucket: Bucket, listed: Listed) -> dict[str, Any]:
    said: dict[str, Any] = {"key": listed.key, "size_bytes": listed.size_bytes, "verified": [], "wrong": [],
                            "unverifiable": [], "error": "", "denied": False}  # fmt: skip
    try:
        kept = _kept(bucket.head(listed.key), listed)
        hashes = {name: made for name in kept if (made := _hash(name))}
        length = 0
        for block in bucket.read(listed):
            length += len(block)
            for one in hashes.values():
                one.update(block)
    except (TargetUnreachable, AccessDenied) as error:
        return said | {"error": str(error), "denied": isinstance(error, AccessDenied)}
    for name, value in kept.items():
        if name not in hashes:
            said["unverifiable"].append(name)
        else:
            said["verified" if hashes[name].digest() == value else "wrong"].append(name)
    if length != listed.size_bytes:
        said["wrong"].append("length")
    return said


def _kept(head: dict[str, Any], listed: Listed) -> dict[str, bytes | None]:
    """What the store keeps, by name; None for the checksum of parts, which only their borders could check."""
    kept: dict[str, bytes | None] = {}
    encrypted = head.get("ServerSideEncryption", "").startswith("aws:kms") or head.get("SSECustomerAlgorithm")
    if not encrypted:
        # The ETag is the MD5 of an object uploaded in one piece; "-N" marks one of N parts.
        kept["etag-md5"] = bytes.fromhex(listed.etag) if re.fullmatch(r"[0-9a-f]{32}", listed.etag) else None
    for name in CHECKSUMS:
        text = head.get(f"Checksum{name}")
        if text:
            whole = head.get("ChecksumType") != "COMPOSITE" and "-" not in text
            kept[name.lower()] = base64.b64decode(text) if whole else None
    return {name: value for name, value in kept.items() if value is not None or name != "etag-md5"} or {"etag": None}


def _hash(name: str) -> _Hash | None:
    if name == "crc32":
        return _Crc32()
    made = {"etag-md5": "md5", "sha1": "sha1", "sha256": "sha256"}.get(name)
    return hashlib.new(made, usedforsecurity=False) if made else None
