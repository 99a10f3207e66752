"""An object store as a Store, through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaosday.model.store import NoEffect, Options, Session, Unanswered

TRIED = 2_000
LONGEST_BYTES = 1 << 20
"""Of a register, which is a number."""
TAKEN = (409, 412)
"""Somebody else is creating it; the condition does not hold (AWS, "Conditional writes")."""


class S3Session:
    """Registers are objects, an identifier is claimed by creating the object of its number. Option ``conditional``:
    create it with ``If-None-Match: *``, or else look whether it is there and then write it."""

    def __init__(self, client: Any, bucket: str, prefix: str, options: Options) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self._conditional = bool(options.get("conditional", True))
        self._next = 0

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """``read``, ``write`` and ``generate``."""
        from botocore.exceptions import BotoCoreError, ClientError

        reads = f == "read"
        try:
            if f == "generate":
                return self._claim()
            if reads:
                return self._read(f"{self._prefix}{key}")
            self._client.put_object(Bucket=self._bucket, Key=f"{self._prefix}{key}", Body=str(value).encode())
        except ClientError as error:
            status = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
            refused = reads or 400 <= status < 500
            raise (NoEffect if refused else Unanswered)(f"{status} {error}") from None
        except BotoCoreError as error:
            raise (NoEffect if reads else Unanswered)(str(error)) from None
        return None

    def close(self) -> None:
        self._client.close()

    def _claim(self) -> int:
        for number in range(self._next, self._next + TRIED):
            self._next = number + 1
            if self._created(f"{self._prefix}ids/{number:012}"):
                return number
        raise NoEffect(f"{TRIED} identifiers in a row were taken")

    def _created(self, name: str) -> bool:
        from botocore.exceptions import ClientError

        if not self._conditional:
            if self._read(name) is not None:
                return False
            self._client.put_object(Bucket=self._bucket, Key=name, Body=b"1")
            return True
        try:
            self._client.put_object(Bucket=self._bucket, Key=name, Body=b"1", IfNoneMatch="*")
        except ClientError as error:
            if error.response["ResponseMetadata"].get("HTTPStatusCode") in TAKEN:
                return False
            raise
        return True

    def _read(self, name: str) -> int | None:
        from botocore.exceptions import ClientError

        try:
            return int(self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read(LONGEST_BYTES))
        except ClientError as error:
            if error.response["Error"].get("Code") in ("NoSuchKey", "404"):
                return None
            raise


class S3ObjectStore:
    """Objects below the target's prefix and the space's name."""

    def __init__(self, connect: Callable[[], Any], bucket: str, prefix: str) -> None:
        self._connect, self._bucket, self._prefix = connect, bucket, prefix

    def make(self, space: str, options: Options) -> None:
        """Nothing is needed: the bucket is somebody else's to make."""

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A client of its own; the target's time-outs hold."""
        return S3Session(self._connect(), self._bucket, f"{self._prefix}{space}/", options)

    def drop(self, space: str) -> None:
        """Every object of the space."""
        from chaosday.mechanisms.aws.session import spoken

        client, prefix = self._connect(), f"{self._prefix}{space}/"
        with spoken(f"emptying {self._bucket}/{prefix}"):
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for each in page.get("Contents", []):
                    client.delete_object(Bucket=self._bucket, Key=each["Key"])
        client.close()
