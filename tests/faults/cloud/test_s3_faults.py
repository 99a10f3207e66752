"""Faults on stored objects hit only what they chose in a scratch prefix, and put it back."""

from __future__ import annotations

import pytest

from chaosday.errors import AccessDenied, Refused, ScratchMarkMissing, TargetUnreachable
from chaosday.mechanisms.aws.objects import mark_as_scratch
from chaosday.model.fault import Fault
from chaosday.registry import member
from chaosday.targets.s3_store import S3Store
from tests.faults.cloud.living import planned, struck

KINDS = ["cloud.s3.tamper", "cloud.s3.delete", "cloud.s3.old_version"]


def fault_of(kind: str, **fields: object) -> Fault:
    fault = member("faults", kind).model_validate({"target": "store", "accept_weak_lease": True, **fields})
    assert isinstance(fault, Fault)
    return fault


@pytest.fixture
def filled(store: S3Store) -> S3Store:
    """Ten objects of two versions each, in a prefix marked as scratch."""
    mark_as_scratch(store)
    store.s3().put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(10):
        for content in (b"old", b"new"):
            store.s3().put_object(Bucket=store.bucket, Key=f"{store.prefix}k{number}", Body=content * (number + 1))
    return store


def contents(store: S3Store) -> dict[str, bytes]:
    found = store.s3().list_objects_v2(Bucket=store.bucket, Prefix=store.prefix).get("Contents", [])
    keys = [item["Key"] for item in found]
    return {key: store.s3().get_object(Bucket=store.bucket, Key=key)["Body"].read() for key in keys}


@pytest.mark.parametrize("kind", KINDS)
def test_hurts_three_and_puts_them_back(filled: S3Store, kind: str) -> None:
    """Exactly the chosen objects read otherwise during the fault, and all read the same after it."""
    before = contents(filled)
    with struck(fault_of(kind, count=3), filled) as (plan, bite):
        during = {key: body for key, body in contents(filled).items() if ".chaosday-kept" not in key}
        assert bite.bit, bite.why
        assert {key for key in before if during.get(key) != before[key]} == set(plan.data["keys"])
        assert len(plan.data["keys"]) == 3
    assert contents(filled) == before


def test_leaves_newer_writes_alone(filled: S3Store) -> None:
    """What somebody writes over a damaged object during the fault is not undone with it."""
    fault = fault_of("cloud.s3.tamper", keys="k3")
    key = f"{filled.prefix}k3"
    plan = planned(fault, filled)
    from chaosday.model.lease import LeaseHolder

    filled.capability(LeaseHolder).arm(plan.lease)
    fault.inject(filled, plan)
    filled.s3().put_object(Bucket=filled.bucket, Key=key, Body=b"by somebody else")
    fault.heal(filled, plan.lease)
    assert contents(filled)[key] == b"by somebody else"
    assert fault.residue(filled, plan.lease) == []


def test_refuses_what_is_not_scratch(store: S3Store) -> None:
    """Without the mark nothing is planned, however many objects there are."""
    store.s3().put_object(Bucket=store.bucket, Key=f"{store.prefix}k", Body=b"x")
    with pytest.raises(ScratchMarkMissing, match="scratch"):
        planned(fault_of("cloud.s3.tamper"), store)


def test_asks_for_the_weak_lease(filled: S3Store) -> None:
    """A bucket has no timer, and the plan says so instead of promising one."""
    with pytest.raises(Refused, match="accept_weak_lease"):
        planned(fault_of("cloud.s3.tamper", accept_weak_lease=False), filled)


def test_matches_nothing(filled: S3Store) -> None:
    """A pattern that fits nothing is refused: there would be nothing to see."""
    with pytest.raises(Refused, match="no object"):
        planned(fault_of("cloud.s3.delete", keys="nothing*"), filled)


@pytest.mark.parametrize(("port", "error"), [(1, TargetUnreachable), (0, AccessDenied)])
def test_reaches_or_says_why(weed: object, port: int, error: type[Exception]) -> None:
    """No endpoint and wrong keys are told apart, and neither message holds the key."""
    url = f"http://127.0.0.1:{port}" if port else weed.url  # type: ignore[attr-defined]
    store = S3Store(endpoint_url=url, bucket="ready", access_key="labkey", secret_key="canary-wrong-secret")  # type: ignore[arg-type]
    with pytest.raises(error) as caught:
        store.reach()
    assert "canary" not in str(caught.value)
