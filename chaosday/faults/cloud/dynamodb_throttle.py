"""Tables with next to no capacity."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class DynamodbThrottle(AccountFault):
    """Lowers the provisioned capacity of tables to one unit, and back; on-demand tables have none to lower."""

    kind: Literal["cloud.dynamodb.throttle"] = "cloud.dynamodb.throttle"
    what: ClassVar[str] = "table"
    read_units: int = Field(default=1, ge=1)
    write_units: int = Field(default=1, ge=1)

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("dynamodb")
        tables = [
            client.describe_table(TableName=name)["Table"]
            for name in every(aws, "dynamodb", "list_tables", "TableNames")
        ]
        return [
            Resource(
                kind="dynamodb",
                id=one["TableName"],
                arn=one["TableArn"],
                tag_id=one["TableArn"],
                tags=as_dict(client.list_tags_of_resource(ResourceArn=one["TableArn"]).get("Tags")),
                detail=_units(one),
            )
            for one in tables
            if _units(one)["ReadCapacityUnits"] > 0
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        asked = {"ReadCapacityUnits": self.read_units, "WriteCapacityUnits": self.write_units}
        return [self._call(one.id, asked) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(one.id, one.detail) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        ask = aws.client("dynamodb").describe_table
        return {one.id: _units(ask(TableName=one.id)["Table"]) for one in resources}

    def _call(self, name: str, units: dict[str, int]) -> Call:
        named = {"TableName": name, "ProvisionedThroughput": units}
        return Call(service="dynamodb", operation="update_table", parameters=named)


def _units(table: dict[str, Any]) -> dict[str, int]:
    said = table.get("ProvisionedThroughput", {})
    return {name: int(said.get(name, 0)) for name in ("ReadCapacityUnits", "WriteCapacityUnits")}
