"""Instances that are gone for good."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.ec2 import instances, states
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.tagging import Resource


class Ec2Terminate(AccountFault):
    """Terminates instances that are tagged ``chaosday-scratch=true``; nothing brings them back but their group."""

    kind: Literal["cloud.ec2.terminate"] = "cloud.ec2.terminate"
    what: ClassVar[str] = "instance"
    lasting: ClassVar[str] = "a terminated instance does not come back"
    irreversible: ClassVar[bool] = True

    def found(self, aws: Aws) -> list[Resource]:
        return instances(aws)

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        ids = [resource.id for resource in resources]
        return [Call(service="ec2", operation="terminate_instances", parameters={"InstanceIds": ids})]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        return states(aws, resources)

    def hurt(self, before: Any, now: Any) -> bool:
        return now in ("shutting-down", "terminated", None)
