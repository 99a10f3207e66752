"""Objects: the versions that were newest at one moment, copied to a prefix beside the source."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from chaosday.drills.restoring.subject import OBJECTS, Subject, newest
from chaosday.errors import Refused, TargetUnreachable
from chaosday.mechanisms.aws.objects import head, listed, remove_every_version
from chaosday.mechanisms.aws.session import spoken
from chaosday.model.history import NEVER_NS, OK, History
from chaosday.targets.s3_store import S3Store
from chaosday.undo.undoing import Attempt
from chaosday.workloads.s3 import S3Workload

COPIERS = 16
WRITES = ("put", "multipart", "create", "replace")


class ObjectVersions(Subject):
    """The backup is a list of version ids, which costs a listing; the restore copies those versions.

    It needs a bucket that keeps versions already: to switch them on would be a change that lasts.
    """

    rows = OBJECTS
    workload: S3Workload

    def __init__(self, source: S3Store, workload: S3Workload, token: str) -> None:
        super().__init__()
        self.source, self.workload = source, workload
        self.copied = source.model_copy(update={"prefix": f"{source.prefix}restored-{token}/"})
        self.versions: dict[str, str] = {}

    def require(self) -> None:
        with spoken(f"asking bucket {self.source.bucket} for its versions"):
            said = self.source.s3().get_bucket_versioning(Bucket=self.source.bucket).get("Status", "off")
        if said != "Enabled":
            raise Refused(f"bucket {self.source.bucket} keeps no versions: there is nothing to restore from")

    def take(self) -> dict[str, Any]:
        with spoken(f"listing versions in {self.source.bucket}"):
            pages = self.source.s3().get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self.source.bucket, Prefix=self.workload.folder(self.source)):
                self.versions |= {v["Key"]: v["VersionId"] for v in page.get("Versions", []) if v["IsLatest"]}
        return {}

    def restore(self) -> None:
        s3, bucket = self.source.s3(), self.source.bucket

        def copy(key: str) -> None:
            there = self.copied.prefix + key.removeprefix(self.source.prefix)
            source = {"Bucket": bucket, "Key": key, "VersionId": self.versions[key]}
            s3.copy_object(Bucket=bucket, Key=there, CopySource=source)

        with spoken(f"copying {len(self.versions)} versions in {bucket}"):
            with ThreadPoolExecutor(COPIERS) as pool:
                list(pool.map(copy, self.versions))
            first = f"{self.copied.prefix}first-write"
            s3.put_object(Bucket=bucket, Key=first, Body=b"1")
            if head(self.copied, first) is None:
                raise TargetUnreachable("the restored prefix does not keep its first write")

    def read(self) -> pa.Table:
        return self.workload.read_back(self.copied, {})[self.rows]

    def behind(self, history: History, rows: pa.Table) -> tuple[int, float | None]:
        """A write is there where its key holds it, or something that was written to the key after it."""
        writes = history.where(history.is_f(*WRITES))
        key, value = writes.integers("key"), writes.integers("value")
        order = {pair: place for place, pair in enumerate(zip(key.tolist(), value.tolist(), strict=True))}
        held = dict(zip(rows["key"].to_pylist(), rows["value"].to_pylist(), strict=True))
        newest_held = np.array([order.get((k, held.get(k, 0)), -1) for k in key.tolist()], dtype=np.int64)
        sure = (writes.statuses() == OK) & (writes.ends_ns() < NEVER_NS)
        there = np.arange(len(writes)) <= newest_held
        return newest(writes.ends_ns()[sure], there[sure])

    def tidy(self) -> tuple[list[str], list[str]]:
        tried = Attempt("the restored objects could not be removed")
        left: list[str] = []
        with tried:
            self.workload.clean_up(self.copied)
            remove_every_version(self.source, f"{self.copied.prefix}first-write")
            left = [item["Key"] for item in listed(self.source, self.copied.prefix)]
        return ([tried.error] if tried.error else []), [f"{name} is still there" for name in left[:10]]

    def described(self) -> str:
        return f"copies of the objects of ours in {self.source.bucket}, under {self.copied.prefix}"
