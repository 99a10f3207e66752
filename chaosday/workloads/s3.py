"""S3: objects put, uploaded in parts, deleted, and written on conditions, each accounted for afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from chaosday.clients.object_content import (
    ABSENT,
    DAMAGED,
    OBJECTS,
    SHARED_FROM,
    UNREADABLE,
    VERSIONS,
    body_of,
    read_body,
)
from chaosday.mechanisms.aws.objects import Objects, listed
from chaosday.mechanisms.aws.session import spoken
from chaosday.model.history import STATUSES
from chaosday.model.target import Target
from chaosday.model.workload import Stop, Workload
from chaosday.record.recorder import Recorder

OK, FAILED, UNKNOWN = STATUSES
PART_BYTES = 5 << 20
KEYS_PER_CLIENT = 1_000_000_000
READERS = 16
MISSING = (404, "NoSuchKey")


class S3Workload(Workload):
    """Each client writes keys of its own, reads them back, and races the others for shared keys on conditions.

    After an operation of unknown outcome its key is never touched again, so that every later reading has
    one explanation. Writes on conditions (If-None-Match, If-Match) are what the store has to order.
    """

    kind: Literal["s3"] = "s3"
    size_bytes: int = Field(default=4096, ge=24, le=5 << 20)
    multipart_share: float = Field(default=0.02, ge=0, le=1)
    delete_share: float = Field(default=0.1, ge=0, le=0.9)
    read_share: float = Field(default=0.2, ge=0, le=0.9)
    shared_share: float = Field(default=0.15, ge=0, le=0.9)
    shared_keys: int = Field(default=8, ge=1, le=1000)
    versions: bool = False
    """Switch the bucket's versions on, and hold the store to every version that it acknowledged."""
    first_process: int = Field(default=2000, ge=0)
    store: str = "objects"

    def prepare(self, target: Target) -> None:
        objects = target.capability(Objects)
        with spoken(f"preparing bucket {objects.bucket}"):
            if objects.bucket not in [each["Name"] for each in objects.s3().list_buckets()["Buckets"]]:
                objects.s3().create_bucket(Bucket=objects.bucket)
            if self.versions:
                status = {"Status": "Enabled"}
                objects.s3().put_bucket_versioning(Bucket=objects.bucket, VersioningConfiguration=status)

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        objects = target.capability(Objects)
        group = [_Client(self, objects, directory, number, seed) for number in range(self.clients)]
        threads = [threading.Thread(target=client.drive, args=(stop,), daemon=True) for client in group]
        for thread in threads:
            thread.start()
        stop.wait()
        deadline = time.monotonic() + 2
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        found = {self.store: self._objects(target.capability(Objects))}
        if self.versions:
            found[f"{self.store}_versions"] = self._versions(target.capability(Objects))
        for name, replica in replicas.items():
            found[f"{self.store}.{name}"] = self._objects(replica.capability(Objects))
        return found

    def clean_up(self, target: Target) -> None:
        objects = target.capability(Objects)
        with spoken(f"removing {self.scope} from {objects.bucket}"):
            for page in _pages(objects, self.folder(objects)):
                for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    named = {"Bucket": objects.bucket, "Key": each["Key"]}
                    objects.s3().delete_object(**named, VersionId=each.get("VersionId", "null"))
            for each in listed(objects, self.folder(objects)):
                objects.s3().delete_object(Bucket=objects.bucket, Key=each["Key"])

    def folder(self, objects: Objects) -> str:
        """Where the keys of this run are."""
        return f"{objects.prefix}s3_{self.scope}/"

    def _objects(self, objects: Objects) -> pa.Table:
        there = not _bucket_is_gone(objects)
        names = [each["Key"] for each in listed(objects, self.folder(objects))] if there else []
        keys = np.array([int(name.rsplit("/", 1)[1]) for name in names], dtype=np.int64)
        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(lambda name: _content(objects, Key=name), names))
        held = np.array(read, dtype=np.int64).reshape(-1, 3)
        return pa.table([keys, held[:, 1], held[:, 0], held[:, 2]], schema=OBJECTS)

    def _versions(self, objects: Objects) -> pa.Table:
        if _bucket_is_gone(objects):
            return VERSIONS.empty_table()
        with spoken(f"listing versions in {objects.bucket}"):
            found = [each for page in _pages(objects, self.folder(objects)) for each in page.get("Versions", [])]
        asked = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        with ThreadPoolExecutor(READERS) as pool:
            values = [value for _, value, _ in pool.map(lambda each: _content(objects, **each), asked)]
        keys = [int(each["Key"].rsplit("/", 1)[1]) for each in found]
        return pa.table([keys, values, [bool(each["IsLatest"]) for each in found]], schema=VERSIONS)


def _bucket_is_gone(objects: Objects) -> bool:
    """Whether the store says that it has no such bucket: then every object in it is lost."""
    from botocore.exceptions import ClientError

    with spoken(f"looking for the bucket {objects.bucket}"):
        try:
            objects.patient_s3().head_bucket(Bucket=objects.bucket)
        except ClientError as error:
            # Where one may not look, reading the objects says so.
            return str(error.response["Error"]["Code"]) in ("404", "NoSuchBucket")
    return False


class _Client:
    """One logical process: one operation at a time, its own recorder and generator."""

    def __init__(self, workload: S3Workload, objects: Objects, directory: Path, number: int, seed: int) -> None:
        self._workload = workload
        self._bucket = objects.bucket
        self._folder = workload.folder(objects)
        self._s3 = objects.s3()
        self._number = number
        self._rng = np.random.default_rng([seed, number])
        self._recorder = Recorder(directory, workload.first_process + number)
        self._made = 0
        self._live: list[tuple[int, int]] = []

    def drive(self, stop: Stop) -> None:
        workload = self._workload
        interval = workload.clients / workload.rate_per_s if workload.rate_per_s else 0.0
        due = time.monotonic() + interval * float(self._rng.random())
        while not stop.is_set():
            if interval:
                if (wait := due - time.monotonic()) > 0 and stop.wait(wait):
                    break
                due = max(due + interval, time.monotonic())
            self._step()
        self._recorder.close()

    def _step(self) -> None:
        workload, dice = self._workload, float(self._rng.random())
        if dice < workload.shared_share:
            self._race()
        elif dice < workload.shared_share + workload.read_share and self._live:
            self._read()
        elif dice < workload.shared_share + workload.read_share + workload.delete_share and self._live:
            self._write("delete", self._live.pop(self._pick())[0], ABSENT)
        else:
            self._put()

    def _put(self) -> None:
        self._made += 1
        fresh = not self._live or self._rng.random() < 0.6
        key = self._number * KEYS_PER_CLIENT + self._made if fresh else self._live.pop(self._pick())[0]
        value = int(self._rng.integers(1, 1 << 62))
        f = "multipart" if self._rng.random() < self._workload.multipart_share else "put"
        if self._write(f, key, value):
            self._live.append((key, value))

    def _write(self, f: str, key: int, value: int) -> bool:
        acts: dict[str, Callable[[], Any]] = {
            "put": lambda: self._s3.put_object(**self._at(key), Body=self._body(key, value)),
            "multipart": lambda: self._upload(key, value),
            "delete": lambda: self._s3.delete_object(**self._at(key)),
        }
        return self._attempt(f, acts[f], key, value)[0]

    def _upload(self, key: int, value: int) -> None:
        body = body_of(key, value, PART_BYTES + self._workload.size_bytes)
        upload = self._s3.create_multipart_upload(**self._at(key))["UploadId"]
        named, parts = {**self._at(key), "UploadId": upload}, []
        for number, piece in enumerate((body[:PART_BYTES], body[PART_BYTES:]), 1):
            tag = self._s3.upload_part(**named, PartNumber=number, Body=piece)["ETag"]
            parts.append({"PartNumber": number, "ETag": tag})
        self._s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})

    def _read(self) -> None:
        place = self._pick()
        key = self._live[place][0]
        self._attempt("get", lambda: read_body(self._s3.get_object(**self._at(key))["Body"].read())[1], key, None)

    def _race(self) -> None:
        """Create a shared key if nobody has, else replace exactly what was read."""
        key = SHARED_FROM + int(self._rng.integers(self._workload.shared_keys))
        value = int(self._rng.integers(1, 1 << 62))

        def look() -> tuple[int, str]:
            found = self._s3.get_object(**self._at(key))
            return read_body(found["Body"].read())[1], found["ETag"]

        done, seen = self._attempt("look", look, key, None)
        if not done:
            return
        if seen is None:
            put = lambda: self._s3.put_object(**self._at(key), Body=self._body(key, value), IfNoneMatch="*")  # noqa: E731
            self._attempt("create", put, key, value, replaces=ABSENT)
        elif seen[0] > ABSENT:
            swap = lambda: self._s3.put_object(**self._at(key), Body=self._body(key, value), IfMatch=seen[1])  # noqa: E731
            self._attempt("replace", swap, key, value, replaces=seen[0])

    def _attempt(
        self, f: str, act: Callable[[], Any], key: int, value: int | None, replaces: int | None = None
    ) -> tuple[bool, Any]:
        """Do one operation and record how it ended: acknowledged or not, and what it gave or would replace."""
        from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

        reads = f in ("get", "look")
        index = self._recorder.invoke(f, key, value)
        try:
            given = act()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = error.response.get("Error", {}).get("Code", "error")
            if reads and status in MISSING:
                self._recorder.end(index, OK, ABSENT)
                return True, None
            # A refusal (4xx) comes before any effect; a multipart upload may have been done by its last part.
            sure = reads or (400 <= status < 500 and status != 408)
            self._recorder.end(index, FAILED if sure else UNKNOWN, replaces, f"{status} {code}")
            return False, None
        except EndpointConnectionError as error:
            # Refused before a byte was sent; but an upload in parts has been through other requests by then.
            sure = reads or f != "multipart"
            self._recorder.end(index, FAILED if sure else UNKNOWN, replaces, type(error).__name__)
            time.sleep(0.05)
            return False, None
        except (BotoCoreError, OSError, AttributeError) as error:
            self._recorder.end(index, FAILED if reads else UNKNOWN, replaces, type(error).__name__)
            return False, None
        value_read = given[0] if isinstance(given, tuple) else given
        self._recorder.end(index, OK, value_read if reads else replaces)
        return True, given

    def _at(self, key: int) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._folder}{key:020d}"}

    def _body(self, key: int, value: int) -> bytes:
        return body_of(key, value, self._workload.size_bytes)

    def _pick(self) -> int:
        return int(self._rng.integers(len(self._live)))


def _content(objects: Objects, **named: str) -> tuple[int, int, int]:
    """Key and value in an object, and its size; ``UNREADABLE`` where HEAD answers and GET does not."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        body = objects.s3().get_object(Bucket=objects.bucket, **named)["Body"].read()
    except (BotoCoreError, ClientError, OSError):
        return DAMAGED, UNREADABLE, 0
    return (*read_body(body), len(body))


def _pages(objects: Objects, prefix: str) -> Iterator[dict[str, Any]]:
    pages = objects.s3().get_paginator("list_object_versions").paginate(Bucket=objects.bucket, Prefix=prefix)
    yield from pages
