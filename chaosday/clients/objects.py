"""Objects in an S3 bucket, read-only: listed, described and fetched in the version that was listed.

The endpoint and the credentials come from the environment, as boto3 reads them (``AWS_ENDPOINT_URL``,
``AWS_ACCESS_KEY_ID``, profiles ...); no secret passes through here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, TargetUnreachable

CHECKSUMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
BLOCK_BYTES = 1 << 20
_DENIED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "ExpiredToken"}


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it; ``version`` is empty where the bucket keeps none."""

    key: str
    size_bytes: int
    etag: str
    version: str = ""


class Bucket:
    """Read access to one bucket; errors are ``AccessDenied`` or ``TargetUnreachable`` in one line."""

    def __init__(self, name: str, *, read_timeout_s: float = 60) -> None:
        self.name = name
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise CapabilityMissing("S3 needs boto3: pip install 'chaosday[cloud]'") from None
        config = Config(
            s3={"addressing_style": "path"} if os.environ.get("AWS_ENDPOINT_URL") else {},
            retries={"max_attempts": 3, "mode": "standard"},
            connect_timeout=5,
            read_timeout=read_timeout_s,
        )
        with self._errors(name):
            self.client = boto3.client("s3", config=config)

    def listing(self, prefix: str) -> list[Listed]:
        """Every current object under a prefix, in the order of keys."""
        with self._errors(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
            return [
                Listed(entry["Key"], entry["Size"], entry["ETag"].strip('"'))
                for page in pages
                for entry in page.get("Contents", [])
            ]

    def versions(self, prefix: str) -> list[Listed]:
        """Every version under a prefix, newest first for each key; delete markers are left out."""
        with self._errors(prefix):
            pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=prefix)
            return [
                Listed(entry["Key"], entry["Size"], entry["ETag"].strip('"'), _version(entry["VersionId"]))
                for page in pages
                for entry in page.get("Versions", [])
            ]

    def version(self, key: str, version: str = "") -> Listed:
        """One object, in the version asked for or the current one."""
        said = self.head(key, version)
        return Listed(key, said["ContentLength"], said["ETag"].strip('"'), _version(said.get("VersionId", version)))

    def head(self, key: str, version: str = "") -> dict[str, Any]:
        """What the store says about an object, its stored checksums among it."""
        with self._errors(key):
            said: dict[str, Any] = self.client.head_object(
                Bucket=self.name, Key=key, ChecksumMode="ENABLED", **({"VersionId": version} if version else {})
            )
            return said

    def encrypted(self) -> str:
        """``aws:kms`` or ``aws:kms:dsse`` where the bucket encrypts by KMS by default; empty too if it may not tell."""
        try:
            with self._errors("encryption"):
                said = self.client.get_bucket_encryption(Bucket=self.name)
        except ChaosdayError:
            return ""
        rules = said["ServerSideEncryptionConfiguration"]["Rules"]
        methods = [str(rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "")) for rule in rules]
        return next((method for method in methods if method.startswith("aws:kms")), "")

    def read(self, listed: Listed) -> Iterator[bytes]:
        """The bytes of exactly the listed version, block by block; an error if it is no longer there."""
        pinned = {"VersionId": listed.version} if listed.version else {"IfMatch": f'"{listed.etag}"'}
        with self._errors(listed.key):
            body = self.client.get_object(Bucket=self.name, Key=listed.key, **pinned)["Body"]
            yield from body.iter_chunks(BLOCK_BYTES)

    def fetch(self, listed: Listed, path: Path) -> None:
        """Store the bytes of exactly the listed version in a file."""
        with path.open("wb") as file:
            for block in self.read(listed):
                file.write(block)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except ClientError as error:
            raise self._explained(error.response, what) from None
        except (BotoCoreError, HTTPClientError, OSError) as error:
            said = str(error).splitlines()[0]
            raise TargetUnreachable(f"s3://{self.name}/{what} gave no answer: {said}") from None

    def _explained(self, response: Any, what: str) -> ChaosdayError:
        code = str(response.get("Error", {}).get("Code", ""))
        if code in _DENIED:
            return AccessDenied(f"s3://{self.name}/{what}: {code}; grant s3:GetObject and s3:ListBucket")
        if code in {"PreconditionFailed", "412"}:
            return TargetUnreachable(
                f"s3://{self.name}/{what} changed while it was read: stop its writers, then run it again"
            )
        return TargetUnreachable(f"s3://{self.name}/{what}: {code or 'no answer'}; check the name and the endpoint")


def _version(text: str) -> str:
    """A bucket without versioning calls its only version ``null``."""
    return "" if text == "null" else text
