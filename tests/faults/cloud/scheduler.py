"""EventBridge Scheduler as its documentation says it works: moto stores schedules and never runs them.

``fire`` takes every schedule whose time has come, makes the call that its universal target names with
its input, as the service would with the schedule's role, and removes it (``ActionAfterCompletion: DELETE``).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from chaosday.mechanisms.aws.calls import SDK_NAMES
from chaosday.targets.aws_account import AwsAccount

BOTO = {name: service for service, name in SDK_NAMES.items()}


def fire(aws: AwsAccount, now: datetime, prefix: str) -> list[str]:
    """Run what is due at ``now`` among the schedules of one lease; gives their names."""
    scheduler = aws.client("scheduler")
    fired = []
    for listed in scheduler.list_schedules(NamePrefix=prefix)["Schedules"]:
        schedule = scheduler.get_schedule(Name=listed["Name"])
        moment = datetime.fromisoformat(schedule["ScheduleExpression"][3:-1]).replace(tzinfo=UTC)
        if moment > now:
            continue
        service, operation = schedule["Target"]["Arn"].rsplit("aws-sdk:", 1)[1].split(":")
        client = aws.client(BOTO.get(service, service))
        names = {name[0].lower() + name[1:]: method for method, name in client.meta.method_to_api_mapping.items()}
        method = names[operation]
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
        getattr(client, method)(**_own_case(json.loads(schedule["Target"]["Input"]), shape))
        scheduler.delete_schedule(Name=listed["Name"])
        fired.append(listed["Name"])
    return fired


def _own_case(value: Any, shape: Any) -> Any:
    """Parameters written in Pascal case, with the names that the service's own model gives them."""
    if shape.type_name == "structure" and isinstance(value, dict):
        own = {name[0].upper() + name[1:]: name for name in shape.members}
        return {own[name]: _own_case(item, shape.members[own[name]]) for name, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_own_case(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _own_case(item, shape.value) for name, item in value.items()}
    return value
