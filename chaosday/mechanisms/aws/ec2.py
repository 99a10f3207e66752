"""Instances as resources."""

from __future__ import annotations

from typing import Any

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


def instances(aws: Aws) -> list[Resource]:
    """Every instance that runs."""
    live = [{"Name": "instance-state-name", "Values": ["running"]}]
    reservations = every(aws, "ec2", "describe_instances", "Reservations", Filters=live)
    return [
        Resource(
            kind="ec2",
            id=one["InstanceId"],
            tags=as_dict(one.get("Tags")),
            detail={"az": one["Placement"]["AvailabilityZone"], "vpc": one.get("VpcId", "")},
        )
        for reservation in reservations
        for one in reservation["Instances"]
    ]


def states(aws: Aws, resources: list[Resource]) -> dict[str, Any]:
    """Instance id -> its state; a state on the way to another is not one to compare."""
    ids = [resource.id for resource in resources]
    reservations = every(aws, "ec2", "describe_instances", "Reservations", InstanceIds=ids)
    return {one["InstanceId"]: one["State"]["Name"] for r in reservations for one in r["Instances"]}
