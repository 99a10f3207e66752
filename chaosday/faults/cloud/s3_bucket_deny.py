"""A bucket that refuses."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.policy import PolicyFault
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class S3BucketDeny(PolicyFault):
    """Denies ``actions`` on buckets to ``principal`` by a statement of ours in the bucket policy.

    Never denies ``s3:PutBucketPolicy``: a policy that nobody may change back has no undo.
    """

    kind: Literal["cloud.s3.bucket_deny"] = "cloud.s3.bucket_deny"
    what: ClassVar[str] = "bucket"
    actions: list[str] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]

    def found(self, aws: Aws) -> list[Resource]:
        names = [one["Name"] for one in every(aws, "s3", "list_buckets", "Buckets")]
        return [
            Resource(kind="bucket", id=name, arn=f"arn:aws:s3:::{name}", tags=_tags(aws, name))
            for name in names
            if not self.ids or {name, f"arn:aws:s3:::{name}"} & set(self.ids)
        ]

    def resources_of(self, one: Resource) -> list[str]:
        return [one.arn, f"{one.arn}/*"]

    def read(self, aws: Aws, one: Resource) -> str:
        asked = Call(service="s3", operation="get_bucket_policy", parameters={"Bucket": one.id}, done_if=NONE)
        return str(asked.run(aws.access()).get("Policy", ""))

    def write(self, one: Resource, policy: str) -> Call:
        if not policy:
            return Call(service="s3", operation="delete_bucket_policy", parameters={"Bucket": one.id})
        return Call(service="s3", operation="put_bucket_policy", parameters={"Bucket": one.id, "Policy": policy})


NONE = ["NoSuchBucketPolicy", "NoSuchTagSet"]


def _tags(aws: Aws, name: str) -> dict[str, str]:
    asked = Call(service="s3", operation="get_bucket_tagging", parameters={"Bucket": name}, done_if=NONE)
    return as_dict(asked.run(aws.access()).get("TagSet"))
