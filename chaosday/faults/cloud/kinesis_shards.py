"""Streams with too few shards."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class KinesisShards(AccountFault):
    """Halves the shards of provisioned streams (AWS allows no less in one step), and back."""

    kind: Literal["cloud.kinesis.shards"] = "cloud.kinesis.shards"
    what: ClassVar[str] = "stream"

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("kinesis")
        names = every(aws, "kinesis", "list_streams", "StreamNames")
        return [
            Resource(
                kind="kinesis",
                id=name,
                tags=as_dict(client.list_tags_for_stream(StreamName=name).get("Tags")),
                detail={"shards": _shards(aws, name)},
            )
            for name in names
            if _shards(aws, name) > 1
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(one, (one.detail["shards"] + 1) // 2) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(one, one.detail["shards"]) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        return {one.id: _shards(aws, one.id) for one in resources}

    def _call(self, one: Resource, shards: int) -> Call:
        named = {"StreamName": one.id, "TargetShardCount": shards, "ScalingType": "UNIFORM_SCALING"}
        return Call(service="kinesis", operation="update_shard_count", parameters=named)


def _shards(aws: Aws, name: str) -> int:
    said = aws.client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return int(said["OpenShardCount"])
