"""A topic that refuses."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.policy import PolicyFault
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class SnsDeny(PolicyFault):
    """Denies ``actions`` on topics to ``principal`` by a statement of ours in their policy."""

    kind: Literal["cloud.sns.deny"] = "cloud.sns.deny"
    what: ClassVar[str] = "topic"
    actions: list[str] = ["sns:Publish", "sns:Subscribe"]

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("sns")
        arns = [one["TopicArn"] for one in every(aws, "sns", "list_topics", "Topics")]
        tags = {arn: as_dict(client.list_tags_for_resource(ResourceArn=arn).get("Tags")) for arn in arns}
        return [Resource(kind="sns", id=arn, arn=arn, tags=tags[arn]) for arn in arns]

    def read(self, aws: Aws, one: Resource) -> str:
        said = aws.client("sns").get_topic_attributes(TopicArn=one.id)
        return str(said["Attributes"].get("Policy", ""))

    def write(self, one: Resource, policy: str) -> Call:
        named = {"TopicArn": one.id, "AttributeName": "Policy", "AttributeValue": policy}
        return Call(service="sns", operation="set_topic_attributes", parameters=named)
