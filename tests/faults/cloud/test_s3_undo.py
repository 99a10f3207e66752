"""An object comes back whole: bytes, version, class, encryption, access list; and nothing of the fault stays."""

from __future__ import annotations

import multiprocessing
import signal
from typing import Any

import pytest

from chaosday.errors import ChaosdayError, Refused
from chaosday.mechanisms.aws.objects import mark_as_scratch
from chaosday.model.lease import LeaseHolder
from chaosday.targets.s3_store import S3Store
from tests.faults.cloud.conftest import bucket_name, store_at
from tests.faults.cloud.flaky import every_other
from tests.faults.cloud.living import planned, struck
from tests.faults.cloud.test_s3_faults import KINDS, fault_of


def versions(store: S3Store) -> list[tuple[str, str]]:
    """Every version and delete marker below the prefix."""
    said = store.s3().list_object_versions(Bucket=store.bucket, Prefix=store.prefix)
    return sorted(
        (each["Key"], each["VersionId"]) for name in ("Versions", "DeleteMarkers") for each in said.get(name, [])
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_bucket_with_versions_has_the_same_ones_again(store: S3Store, kind: str) -> None:
    """No damaged version, no copy and no delete marker stays in the history that the bucket keeps for ever."""
    mark_as_scratch(store)
    store.s3().put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"older", b"newer"):
        store.s3().put_object(Bucket=store.bucket, Key=f"{store.prefix}k", Body=content)
    before = versions(store)
    with struck(fault_of(kind), store) as (_, bite):
        assert bite.bit, bite.why
    assert versions(store) == before


@pytest.mark.parametrize("kind", KINDS[:2])
def test_what_is_not_bytes_comes_back_as_well(moto: str, kind: str, request: pytest.FixtureRequest) -> None:
    """Storage class, encryption, public access list, content type, metadata and tags, in a bucket without versions."""
    store = store_at(moto, bucket_name(request.node.name))
    mark_as_scratch(store)
    named = {"Bucket": store.bucket, "Key": f"{store.prefix}k"}
    store.s3().put_object(
        **named, Body=b"body", StorageClass="STANDARD_IA", ServerSideEncryption="AES256", ACL="public-read",
        ContentType="text/x-own", CacheControl="no-store", Metadata={"a": "1"}, Tagging="t=1",
    )  # fmt: skip

    def seen() -> list[Any]:
        head = store.s3().head_object(**named)
        fields = ("StorageClass", "ServerSideEncryption", "ContentType", "CacheControl", "Metadata")
        tags, acl = store.s3().get_object_tagging(**named)["TagSet"], store.s3().get_object_acl(**named)["Grants"]
        return [*(head.get(name) for name in fields), tags, acl]

    before = seen()
    with struck(fault_of(kind), store) as (_, bite):
        assert bite.bit, bite.why
    assert seen() == before


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_store_that_says_slow_down_is_asked_again(weed: Any, kind: str, request: pytest.FixtureRequest) -> None:
    """Keeping, damaging, undoing and looking try again, whatever the workload's ``attempts`` are."""
    name = bucket_name(request.node.name)
    direct = store_at(weed.url, name)
    mark_as_scratch(direct)
    direct.s3().put_object(Bucket=name, Key=f"{direct.prefix}k", Body=b"body")
    with (
        every_other(weed.url) as url,
        struck(fault_of(kind), direct.model_copy(update={"endpoint_url": url})) as (_, bite),
    ):
        assert bite.bit, bite.why
    assert direct.s3().get_object(Bucket=name, Key=f"{direct.prefix}k")["Body"].read() == b"body"


def test_the_longest_key_can_be_kept(store: S3Store) -> None:
    """1,024 bytes of it in letters of three bytes each, which percent signs would have made nine times as long."""
    mark_as_scratch(store)
    key = store.prefix + "\N{SNOWMAN}" * ((1024 - len(store.prefix)) // 3 // 4)
    store.s3().put_object(Bucket=store.bucket, Key=key, Body=b"body")
    with struck(fault_of("cloud.s3.delete"), store) as (plan, bite):
        assert bite.bit and plan.data["keys"] == [key]
    assert store.s3().get_object(Bucket=store.bucket, Key=key)["Body"].read() == b"body"


def test_an_arming_that_fails_leaves_nothing(store: S3Store) -> None:
    """An object that is gone by then cannot be kept: the others' pre-images and the lease go again."""
    mark_as_scratch(store)
    for name in "ab":
        store.s3().put_object(Bucket=store.bucket, Key=f"{store.prefix}{name}", Body=b"body")
    plan = planned(fault_of("cloud.s3.tamper", count=2), store)
    store.s3().delete_object(Bucket=store.bucket, Key=f"{store.prefix}b")
    with pytest.raises(ChaosdayError):
        store.capability(LeaseHolder).arm(plan.lease)
    listed = store.s3().list_objects_v2(Bucket=store.bucket, Prefix=f"{store.prefix}.chaosday-kept/")
    assert listed.get("Contents", []) == []


def test_an_arming_that_was_killed_is_found(store: S3Store) -> None:
    """SIGKILL between two pre-images: the lease is listed, and its end takes away what was kept."""
    mark_as_scratch(store)
    for name in "ab":
        store.s3().put_object(Bucket=store.bucket, Key=f"{store.prefix}{name}", Body=b"body")
    fault = fault_of("cloud.s3.tamper", count=2)
    plan = planned(fault, store)

    def arm() -> None:
        copies: list[object] = []

        def second(**said: object) -> None:
            copies.append(said)
            if len(copies) == 2:
                signal.raise_signal(signal.SIGKILL)

        store.patient_s3().meta.events.register("before-call.s3.CopyObject", second)
        store.capability(LeaseHolder).arm(plan.lease)

    child = multiprocessing.get_context("fork").Process(target=arm)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    holder = store.capability(LeaseHolder)
    assert [lease.id for lease in holder.leases()] == [plan.lease.id]
    holder.heal(plan.lease.id)
    assert (holder.leases(), holder.residue(plan.lease.id)) == ([], [])


def test_a_bucket_that_locks_what_is_written_is_refused(moto: str, request: pytest.FixtureRequest) -> None:
    """Neither the damage nor the pre-images could be taken away: said with the days, before anything is written."""
    store = store_at(moto, bucket_name(request.node.name))
    locked = store.model_copy(update={"bucket": f"{store.bucket}-locked"})
    store.s3().create_bucket(Bucket=locked.bucket, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    store.s3().put_object_lock_configuration(
        Bucket=locked.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    mark_as_scratch(locked)
    store.s3().put_object(Bucket=locked.bucket, Key=f"{locked.prefix}k", Body=b"body")
    with pytest.raises(Refused, match="3 days"):
        planned(fault_of("cloud.s3.tamper"), locked)
