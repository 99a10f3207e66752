"""Auto Scaling groups as resources."""

from __future__ import annotations

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


def groups(aws: Aws) -> list[Resource]:
    """Every Auto Scaling group, with its subnets and what is suspended in it."""
    return [
        Resource(
            kind="autoscaling",
            id=one["AutoScalingGroupName"],
            arn=one["AutoScalingGroupARN"],
            tags=as_dict([{"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in one.get("Tags", [])]),
            detail={
                "suspended": sorted(process["ProcessName"] for process in one.get("SuspendedProcesses", [])),
                "subnets": sorted(filter(None, one.get("VPCZoneIdentifier", "").split(","))),
                "sizes": [one["MinSize"], one["DesiredCapacity"], one["MaxSize"]],
            },
        )
        for one in every(aws, "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups")
    ]
