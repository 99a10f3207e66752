"""A queue that refuses."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.policy import PolicyFault
from chaosday.mechanisms.aws.tagging import Resource


class SqsDeny(PolicyFault):
    """Denies ``actions`` on queues to ``principal`` by a statement of ours in their policy."""

    kind: Literal["cloud.sqs.deny"] = "cloud.sqs.deny"
    what: ClassVar[str] = "queue"
    actions: list[str] = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"]

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("sqs")
        urls = every(aws, "sqs", "list_queues", "QueueUrls")
        return [
            Resource(
                kind="sqs",
                id=url,
                arn=self._attribute(aws, url, "QueueArn"),
                tags=client.list_queue_tags(QueueUrl=url).get("Tags", {}),
            )
            for url in urls
        ]

    def read(self, aws: Aws, one: Resource) -> str:
        return self._attribute(aws, one.id, "Policy")

    def write(self, one: Resource, policy: str) -> Call:
        named = {"QueueUrl": one.id, "Attributes": {"Policy": policy}}
        return Call(service="sqs", operation="set_queue_attributes", parameters=named)

    def _attribute(self, aws: Aws, url: str, name: str) -> str:
        said = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return str(said.get("Attributes", {}).get(name, ""))
