"""Tags on what we change: whose it is and until when, in each service's own way of tagging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaosday.mechanisms.aws.calls import Call
from chaosday.model.base import Model

RUN, LEASE, DEADLINE = "chaosday-run", "chaosday-lease", "chaosday-deadline"
KEYS = (LEASE, RUN, DEADLINE)
SCRATCH = "chaosday-scratch"


class Resource(Model):
    """One thing in an account. ``id`` is its name in calls, ``tag_id`` in tagging calls if that differs."""

    kind: str
    id: str
    arn: str = ""
    tag_id: str = ""
    tags: dict[str, str] = {}
    detail: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return f"{self.kind} {self.id}"


Way = tuple[str, str, str, Callable[[str, dict[str, str]], dict[str, Any]], Callable[[str, list[str]], dict[str, Any]]]


def _pairs(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: word} for name, word in tags.items()]


def _asg(group: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    place = {"ResourceId": group, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
    return [{**place, **pair} for pair in _pairs(tags)]


# kind -> service, call that tags, call that untags, and their parameters.
_WAYS: dict[str, Way] = {
    "ec2": (
        "ec2", "create_tags", "delete_tags",
        lambda at, tags: {"Resources": [at], "Tags": _pairs(tags)},
        lambda at, keys: {"Resources": [at], "Tags": [{"Key": key} for key in keys]},
    ),
    "autoscaling": (
        "autoscaling", "create_or_update_tags", "delete_tags",
        lambda at, tags: {"Tags": _asg(at, tags)},
        lambda at, keys: {"Tags": _asg(at, dict.fromkeys(keys, ""))},
    ),
    "rds": (
        "rds", "add_tags_to_resource", "remove_tags_from_resource",
        lambda at, tags: {"ResourceName": at, "Tags": _pairs(tags)},
        lambda at, keys: {"ResourceName": at, "TagKeys": keys},
    ),
    "ecs": (
        "ecs", "tag_resource", "untag_resource",
        lambda at, tags: {"resourceArn": at, "tags": _pairs(tags, "key", "value")},
        lambda at, keys: {"resourceArn": at, "tagKeys": keys},
    ),
    "eks": (
        "eks", "tag_resource", "untag_resource",
        lambda at, tags: {"resourceArn": at, "tags": tags},
        lambda at, keys: {"resourceArn": at, "tagKeys": keys},
    ),
    "lambda": (
        "lambda", "tag_resource", "untag_resource",
        lambda at, tags: {"Resource": at, "Tags": tags},
        lambda at, keys: {"Resource": at, "TagKeys": keys},
    ),
    "dynamodb": (
        "dynamodb", "tag_resource", "untag_resource",
        lambda at, tags: {"ResourceArn": at, "Tags": _pairs(tags)},
        lambda at, keys: {"ResourceArn": at, "TagKeys": keys},
    ),
    "kinesis": (
        "kinesis", "add_tags_to_stream", "remove_tags_from_stream",
        lambda at, tags: {"StreamName": at, "Tags": tags},
        lambda at, keys: {"StreamName": at, "TagKeys": keys},
    ),
    "sqs": (
        "sqs", "tag_queue", "untag_queue",
        lambda at, tags: {"QueueUrl": at, "Tags": tags},
        lambda at, keys: {"QueueUrl": at, "TagKeys": keys},
    ),
    "sns": (
        "sns", "tag_resource", "untag_resource",
        lambda at, tags: {"ResourceArn": at, "Tags": _pairs(tags)},
        lambda at, keys: {"ResourceArn": at, "TagKeys": keys},
    ),
    "role": (
        "iam", "tag_role", "untag_role",
        lambda at, tags: {"RoleName": at, "Tags": _pairs(tags)},
        lambda at, keys: {"RoleName": at, "TagKeys": keys},
    ),
    "user": (
        "iam", "tag_user", "untag_user",
        lambda at, tags: {"UserName": at, "Tags": _pairs(tags)},
        lambda at, keys: {"UserName": at, "TagKeys": keys},
    ),
    "kms": (
        "kms", "tag_resource", "untag_resource",
        lambda at, tags: {"KeyId": at, "Tags": _pairs(tags, "TagKey", "TagValue")},
        lambda at, keys: {"KeyId": at, "TagKeys": keys},
    ),
    "route53": (
        "route53", "change_tags_for_resource", "change_tags_for_resource",
        lambda at, tags: {"ResourceType": "hostedzone", "ResourceId": at, "AddTags": _pairs(tags)},
        lambda at, keys: {"ResourceType": "hostedzone", "ResourceId": at, "RemoveTagKeys": keys},
    ),
    "elbv2": (
        "elbv2", "add_tags", "remove_tags",
        lambda at, tags: {"ResourceArns": [at], "Tags": _pairs(tags)},
        lambda at, keys: {"ResourceArns": [at], "TagKeys": keys},
    ),
    "events": (
        "events", "tag_resource", "untag_resource",
        lambda at, tags: {"ResourceARN": at, "Tags": _pairs(tags)},
        lambda at, keys: {"ResourceARN": at, "TagKeys": keys},
    ),
}  # fmt: skip

GONE = [
    "NoSuchEntity", "ResourceNotFoundException", "InvalidInstanceID.NotFound", "NoSuchHostedZone", "NotFoundException",
    "DBInstanceNotFound", "QueueDoesNotExist", "ClusterNotFoundException",
]  # fmt: skip


def tag_call(resource: Resource, tags: dict[str, str]) -> Call:
    """The call that puts ``tags`` on a resource."""
    if resource.kind == "bucket":
        # A bucket's tags are one set that is replaced as a whole.
        whole = resource.tags | tags
        return Call(
            service="s3",
            operation="put_bucket_tagging",
            parameters={"Bucket": resource.id, "Tagging": {"TagSet": _pairs(whole)}},
        )
    service, tag, _, add, _ = _WAYS[resource.kind]
    return Call(service=service, operation=tag, parameters=add(resource.tag_id or resource.id, tags))


def untag_call(resource: Resource) -> Call:
    """The call that takes our tags off it again."""
    if resource.kind == "bucket":
        where: dict[str, Any] = {"Bucket": resource.id}
        if resource.tags:
            where["Tagging"] = {"TagSet": _pairs(resource.tags)}
            return Call(service="s3", operation="put_bucket_tagging", parameters=where)
        return Call(service="s3", operation="delete_bucket_tagging", parameters=where)
    service, _, untag, _, remove = _WAYS[resource.kind]
    parameters = remove(resource.tag_id or resource.id, list(KEYS))
    return Call(service=service, operation=untag, parameters=parameters, done_if=GONE)


def as_dict(tags: list[dict[str, str]] | None) -> dict[str, str]:
    """A list of Key / Value pairs, in whatever case, as a dictionary."""
    found = {}
    for pair in tags or []:
        lower = {name.lower().removeprefix("tag"): value for name, value in pair.items()}
        found[lower["key"]] = lower.get("value", "")
    return found
