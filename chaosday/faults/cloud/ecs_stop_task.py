"""Tasks of a service that are stopped."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class EcsStopTask(AccountFault):
    """Stops tasks that are meant to run; their service starts others in their place."""

    kind: Literal["cloud.ecs.stop_task"] = "cloud.ecs.stop_task"
    what: ClassVar[str] = "task"
    lasting: ClassVar[str] = "a stopped task does not come back; its service starts another"
    cluster: str = "default"

    def found(self, aws: Aws) -> list[Resource]:
        arns = every(aws, "ecs", "list_tasks", "taskArns", cluster=self.cluster)
        tasks = [one for start in range(0, len(arns), 100) for one in self._tasks(aws, arns[start : start + 100])]
        return [
            Resource(
                kind="ecs",
                id=one["taskArn"],
                arn=one["taskArn"],
                tags=as_dict(one.get("tags")) | {"group": one["group"]},
            )
            for one in tasks
            if one["desiredStatus"] == "RUNNING"
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        named = [{"cluster": self.cluster, "task": one.id, "reason": "chaosday"} for one in resources]
        return [Call(service="ecs", operation="stop_task", parameters=name) for name in named]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        now = {one["taskArn"]: one["lastStatus"] for one in self._tasks(aws, [one.id for one in resources])}
        return {resource.id: now.get(resource.id) for resource in resources}

    def hurt(self, before: Any, now: Any) -> bool:
        return now in (None, "STOPPED", "STOPPING", "DEPROVISIONING", "DEACTIVATING")

    def _tasks(self, aws: Aws, arns: list[str]) -> list[Any]:
        found: list[Any] = aws.client("ecs").describe_tasks(cluster=self.cluster, tasks=arns, include=["TAGS"])["tasks"]
        return found
