"""A rule or schedule that no longer fires."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class EventsDisable(AccountFault):
    """Disables EventBridge rules of a bus: what they start is not started while it lasts."""

    kind: Literal["cloud.events.disable"] = "cloud.events.disable"
    what: ClassVar[str] = "rule"
    bus: str = "default"

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("events")
        return [
            Resource(
                kind="events",
                id=one["Name"],
                arn=one["Arn"],
                tag_id=one["Arn"],
                tags=as_dict(client.list_tags_for_resource(ResourceARN=one["Arn"]).get("Tags")),
            )
            for one in every(aws, "events", "list_rules", "Rules", EventBusName=self.bus)
            if one["State"] == "ENABLED"
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call("disable_rule", one) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call("enable_rule", one) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        ask = aws.client("events").describe_rule
        return {one.id: ask(Name=one.id, EventBusName=self.bus)["State"] for one in resources}

    def _call(self, operation: str, one: Resource) -> Call:
        return Call(service="events", operation=operation, parameters={"Name": one.id, "EventBusName": self.bus})
