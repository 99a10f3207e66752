"""What decides whether a bucket gives back what was overwritten, deleted, or thrown away by a rule of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaosday.drills.advice.rule import Rule, Settings, unless
from chaosday.mechanisms.aws.session import explained
from chaosday.targets.s3_store import S3Store

GUIDE = "Amazon S3 User Guide"
_URL = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
_NONE = {"NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"}
WEEK_DAYS = 7


def read(target: S3Store) -> Settings:
    """Three configurations of the bucket; one that this account may not read, or the store does not have, is unread."""
    from botocore.exceptions import BotoCoreError, ClientError

    target.reach()
    client = target.patient_s3()
    values: dict[str, str] = {}
    unread: dict[str, str] = {}
    for name, ask, told in (
        ("versioning", client.get_bucket_versioning, lambda said: said.get("Status", "never on")),
        ("object_lock", client.get_object_lock_configuration, _lock),
        ("expiry", client.get_bucket_lifecycle_configuration, _expiry),
        ("noncurrent_days", client.get_bucket_lifecycle_configuration, _noncurrent),
    ):
        try:
            values[name] = told(ask(Bucket=target.bucket))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NONE:
                values[name] = ""
            else:
                unread[name] = str(explained(error, f"bucket {target.bucket}") or type(error).__name__)[:160]
        except BotoCoreError as error:
            unread[name] = type(error).__name__
    return Settings(values, unread)


def _lock(said: dict[str, Any]) -> str:
    kept = said.get("ObjectLockConfiguration", {})
    mode = kept.get("Rule", {}).get("DefaultRetention", {}).get("Mode", "")
    return f"on, {mode or 'no default'}" if kept.get("ObjectLockEnabled") == "Enabled" else ""


def _enabled(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in said.get("Rules", []) if rule.get("Status") == "Enabled"]


def _expiry(said: dict[str, Any]) -> str:
    found = []
    for rule in _enabled(said):
        ends = rule.get("Expiration", {})
        if when := ends.get("Days") or ends.get("Date"):
            found.append(f"{_chosen(rule)} after {when}{' days' if ends.get('Days') else ''}")
    return "; ".join(found)


def _chosen(rule: dict[str, Any]) -> str:
    """What a rule of a lifecycle is about, in words."""
    asked = rule.get("Filter", {})
    asked = {**asked, **asked.get("And", {})}
    prefix = asked.get("Prefix", rule.get("Prefix", ""))
    more = [f"tag {tag.get('Key')}" for tag in [*asked.get("Tags", []), *([asked["Tag"]] if "Tag" in asked else [])]]
    more += [f"{name[10:].lower()} than {asked[name]} bytes" for name in asked if name.startswith("ObjectSize")]
    return " with ".join([prefix or "everything", *more])


def _noncurrent(said: dict[str, Any]) -> str:
    days = [rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays") for rule in _enabled(said)]
    return str(min((each for each in days if each), default=""))


def _short(values: Mapping[str, str]) -> str:
    if values["versioning"] != "Enabled" or not values["noncurrent_days"]:
        return ""
    days = int(values["noncurrent_days"])
    return (
        f"earlier versions are kept for {days} days: a mistake that is seen later cannot be taken back"
        if days < WEEK_DAYS else ""
    )  # fmt: skip


def _held(values: Mapping[str, str]) -> str:
    if not values["object_lock"]:
        return "whoever may delete can delete every version, a backup's too: nothing holds them for a time"
    if values["object_lock"].endswith("no default"):
        return "object lock is on and has no default retention: only objects whose writer asks for it are held"
    return ""


RULES = (
    Rule(
        "versioning", ("versioning",),
        unless("versioning", ("enabled",), "an object that is overwritten or deleted, by mistake or with a stolen key, "
               "is gone"),
        3, f"{GUIDE}, Versioning: {_URL}/Versioning.html",
    ),
    Rule(
        "lifecycle", ("expiry",),
        lambda values: f"the bucket deletes by itself: {values['expiry']}" if values["expiry"] else "",
        2, f"{GUIDE}, Expiring objects: {_URL}/lifecycle-expire-general-considerations.html",
    ),
    Rule(
        "earlier versions", ("versioning", "noncurrent_days"), _short, 2,
        f"{GUIDE}, Lifecycle: {_URL}/object-lifecycle-mgmt.html",
    ),
    Rule(
        "object lock", ("object_lock",),
        _held,
        1, f"{GUIDE}, Object Lock: {_URL}/object-lock.html",
    ),
)  # fmt: skip
