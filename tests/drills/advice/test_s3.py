"""A bucket's rules in both settings, against moto."""

from __future__ import annotations

from typing import Any

import pytest

from chaosday.drills.advice.advising import advise
from chaosday.targets.s3_store import S3Store

pytestmark = pytest.mark.lab
KEYS = {"access_key": "a", "secret_key": "b"}


def bucket(url: str, name: str, **made: Any) -> tuple[S3Store, Any]:
    """A bucket of its own, and a client for its owner."""
    target = S3Store.model_validate({"endpoint_url": url, "bucket": name, **KEYS})
    client = target.s3()
    client.create_bucket(Bucket=name, **made)
    return target, client


def rules(target: S3Store) -> set[str]:
    return {("" if each.state == "can lose" else "?") + each.rule for each in advise(target)}


def expiring(client: Any, name: str, **ends: Any) -> None:
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, **ends}
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})


def test_a_locked_bucket_is_not_spoken_of(moto: str) -> None:
    """Versioned, locked, and deleting nothing by itself; each weaker setting is named with what it does."""
    target, client = bucket(moto, "advised-sound", ObjectLockEnabledForBucket=True)
    assert rules(target) == {"object lock"}, "without a default retention nothing is held by itself"
    held = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}}
    client.put_object_lock_configuration(Bucket="advised-sound", ObjectLockConfiguration=held)
    assert rules(target) == set()
    expiring(client, "advised-sound", Expiration={"Days": 3})
    (found,) = advise(target)
    assert found.rule == "lifecycle" and "logs/ after 3 days" in found.words
    expiring(client, "advised-sound", NoncurrentVersionExpiration={"NoncurrentDays": 2})
    assert rules(target) == {"earlier versions"}
    expiring(client, "advised-sound", NoncurrentVersionExpiration={"NoncurrentDays": 30})
    assert rules(target) == set()


def test_a_bucket_as_it_is_made(moto: str) -> None:
    """Without versions a delete is for ever; versioning that was suspended is as good as none."""
    target, client = bucket(moto, "advised-plain")
    assert rules(target) == {"versioning", "object lock"}
    for status, expected in (("Enabled", {"object lock"}), ("Suspended", {"versioning", "object lock"})):
        client.put_bucket_versioning(Bucket="advised-plain", VersioningConfiguration={"Status": status})
        assert rules(target) == expected
