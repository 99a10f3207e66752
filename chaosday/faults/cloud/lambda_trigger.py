"""An event source that is no longer read."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource


class LambdaTrigger(AccountFault):
    """Disables event source mappings of functions: what arrives in their queue or stream waits."""

    kind: Literal["cloud.lambda.trigger"] = "cloud.lambda.trigger"
    what: ClassVar[str] = "event source mapping of function"

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("lambda")
        mappings = every(aws, "lambda", "list_event_source_mappings", "EventSourceMappings")
        on = [one for one in mappings if one["State"] in ("Enabled", "Creating", "Updating")]
        return [
            Resource(
                kind="lambda",
                id=one["FunctionArn"].rsplit(":function:", 1)[-1].split(":")[0],
                arn=one["FunctionArn"],
                tag_id=one["FunctionArn"],
                tags=client.list_tags(Resource=one["FunctionArn"]).get("Tags", {}),
                detail={"uuid": one["UUID"]},
            )
            for one in on
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(one, enabled=False) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(one, enabled=True) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        ask = aws.client("lambda").get_event_source_mapping
        return {one.detail["uuid"]: ask(UUID=one.detail["uuid"])["State"] for one in resources}

    def hurt(self, before: Any, now: Any) -> bool:
        return now in ("Disabled", "Disabling")

    def _call(self, one: Resource, *, enabled: bool) -> Call:
        named = {"UUID": one.detail["uuid"], "Enabled": enabled}
        return Call(service="lambda", operation="update_event_source_mapping", parameters=named)
