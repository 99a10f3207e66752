"""Leases in an AWS account: the undo kept in Parameter Store, run by EventBridge Scheduler if nobody else does.

Arming writes, in this order: the record (an SSM parameter ``/chaosday/leases/ID`` with the undo as
calls), the tags on everything that will be changed, and one one-shot schedule for each reverting call.
Only then may anything be hurt. All of it carries the tag ``chaosday-lease``, and recover starts from
that tag alone. Scheduler calls within the minute after the time it was given: the deadline in AWS is
that coarse, and the schedule is the last resort, not the usual end.
"""

from __future__ import annotations

import base64
import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from chaosday.errors import ChaosdayError, LeaseError
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.session import Access
from chaosday.mechanisms.aws.tagging import DEADLINE, LEASE, RUN, Resource, tag_call, untag_call
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.record.signing import StoredLease, listed, sealed, unsealed

FOLDER = "/chaosday/leases/"
PLACE = "aws:ssm"
MAX_RECORD_BYTES = 8192
STANDARD_BYTES = 4096


class AccountLeases:
    """The lease holder of an account and region."""

    def __init__(self, access: Access, scheduler_role: str = "") -> None:
        self._access = access
        self._role = scheduler_role

    @property
    def durable(self) -> bool:
        """Whether the account itself calls back at the deadline, without us."""
        return bool(self._role)

    def arm(self, lease: Lease) -> None:
        calls, resources = _undo_of(lease.undo)
        deadline = time.time() + lease.ttl_s
        tags = {RUN: lease.run, LEASE: lease.id, DEADLINE: _iso(deadline)}
        try:
            self._write(lease, deadline, tags)
            for resource in resources:
                tag_call(resource, tags).run(self._access)
            if self._role:
                self._schedule(lease.id, calls, deadline)
        except ChaosdayError as error:
            self.heal(lease.id, lease.undo)
            raise LeaseError(f"lease {lease.id} could not be armed, nothing was injected: {error}") from None

    def renew(self, lease_id: str, ttl_s: float) -> None:
        stored = self._read(lease_id)
        if stored is None or stored.deadline_s < time.time():
            raise LeaseError(f"lease {lease_id} is over: it cannot be renewed")
        until = time.time() + ttl_s
        calls, _ = _undo_of(stored.trusted())
        if self._role:
            self._schedule(lease_id, calls, until, again=True)
        self._write(stored.lease, until, None)

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Every reverting call, every tag, every schedule, whatever becomes of the one before; then the record.

        Without a record nothing is done: it is the first thing that arming writes and the last that healing
        removes, and an injection is refused without it. To run the undo again all the same would undo
        what somebody else has changed since.
        """
        stored = self._read(lease_id)
        if stored is None:
            return
        trusted = stored.trusted(undo)
        calls, resources = _undo_of(trusted)
        if trusted.data.get("fis"):
            calls = [*calls, *stops(self._access, lease_id)]
        failed = _all_tried(self._access, [*calls, *(untag_call(resource) for resource in resources)])
        if self._role:
            gone = ["ResourceNotFoundException"]
            names = [{"Name": f"{lease_id}-{number}"} for number in range(len(calls))]
            failed += _all_tried(
                self._access,
                [Call(service="scheduler", operation="delete_schedule", parameters=n, done_if=gone) for n in names],
            )
        if failed:
            raise LeaseError(f"lease {lease_id}: {len(failed)} of its undo failed, first: {failed[0]}")
        gone = ["ParameterNotFound"]
        record = {"Name": FOLDER + lease_id}
        Call(service="ssm", operation="delete_parameter", parameters=record, done_if=gone).run(self._access)

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        """Record, schedules and tags of the lease that are still there, found by tag and name alone."""
        left = [f"parameter {FOLDER}{lease_id}"] if self._found(lease_id) else []
        asked = {"TagFilters": [{"Key": LEASE, "Values": [lease_id]}]}
        found = Call(service="resourcegroupstaggingapi", operation="get_resources", parameters=asked).run(self._access)
        left += [
            f"tag on {item['ResourceARN']}"
            for item in found.get("ResourceTagMappingList", [])
            if not item["ResourceARN"].endswith(FOLDER + lease_id)
        ]
        if self._role:
            wanted = {"NamePrefix": lease_id}
            listed = Call(service="scheduler", operation="list_schedules", parameters=wanted).run(self._access)
            left += [f"schedule {item['Name']}" for item in listed.get("Schedules", [])]
        return left

    def leases(self) -> list[LeaseState]:
        """Every lease of ours in the account and region, found by its tag."""
        found = []
        ssm = self._access.client("ssm")
        only_ours = [{"Key": f"tag:{LEASE}"}, {"Key": "Path", "Option": "Recursive", "Values": [FOLDER[:-1]]}]
        for page in ssm.get_paginator("describe_parameters").paginate(ParameterFilters=only_ours):
            for item in page["Parameters"]:
                found += listed(item["Name"].removeprefix(FOLDER), self._read)
        return found

    def _write(self, lease: Lease, deadline: float, tags: dict[str, str] | None) -> None:
        data = zlib.compress(sealed(lease, deadline, PLACE), 9)
        text = base64.b64encode(data).decode()
        if len(text) > MAX_RECORD_BYTES:
            raise LeaseError(f"the undo of {lease.id} takes {len(text)} bytes, a parameter holds 8192: select fewer")
        said: dict[str, Any] = {"Name": FOLDER + lease.id, "Value": text, "Type": "String"}
        said["Tier"] = "Standard" if len(text) <= STANDARD_BYTES else "Advanced"
        # Tags can be given only when a parameter is made, and an overwrite keeps those it has.
        said |= {"Overwrite": True} if tags is None else {"Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        Call(service="ssm", operation="put_parameter", parameters=said).run(self._access)

    def _found(self, lease_id: str) -> str:
        """The text of the record, empty where there is none."""
        gone = ["ParameterNotFound"]
        asked = {"Name": FOLDER + lease_id}
        found = Call(service="ssm", operation="get_parameter", parameters=asked, done_if=gone).run(self._access)
        return str(found["Parameter"]["Value"]) if found else ""

    def _read(self, lease_id: str) -> StoredLease | None:
        text = self._found(lease_id)
        if not text:
            return None
        try:
            document = zlib.decompress(base64.b64decode(text))
        except (ValueError, zlib.error):
            document = b""
        return unsealed(document, lease_id, PLACE)

    def _schedule(self, lease_id: str, calls: list[Call], at: float, *, again: bool = False) -> None:
        # Whole seconds, rounded up, so that a schedule never fires before the deadline that is promised.
        when = (datetime.fromtimestamp(at, UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
        for number, call in enumerate(calls):
            arn, given = call.schedule_target(self._access)
            said = {
                "Name": f"{lease_id}-{number}",
                "ScheduleExpression": f"at({when})",
                "ScheduleExpressionTimezone": "UTC",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "ActionAfterCompletion": "DELETE",
                "Description": f"{LEASE}={lease_id}",
                "Target": {"Arn": arn, "RoleArn": self._role, "Input": orjson.dumps(given).decode()},
            }
            verb = "update_schedule" if again else "create_schedule"
            Call(service="scheduler", operation=verb, parameters=said).run(self._access)


def undo_of_calls(calls: list[Call], resources: list[Resource]) -> Undo:
    """An undo that reverts by ``calls`` and untags ``resources``."""
    return Undo(
        data={
            "calls": orjson.dumps([call.model_dump(mode="json") for call in calls]).decode(),
            "resources": orjson.dumps([r.model_dump(mode="json", exclude={"detail"}) for r in resources]).decode(),
        }
    )


def _undo_of(undo: Undo) -> tuple[list[Call], list[Resource]]:
    calls = [Call.model_validate(each) for each in orjson.loads(str(undo.data.get("calls", "[]")))]
    resources = [Resource.model_validate(each) for each in orjson.loads(str(undo.data.get("resources", "[]")))]
    return calls, resources


def stops(access: Access, lease_id: str) -> list[Call]:
    """The calls that stop every FIS experiment of a lease that has not ended, found by its tag."""
    every = Call(service="fis", operation="list_experiments", parameters={}).run(access).get("experiments", [])
    live = [one for one in every if one.get("state", {}).get("status") in ("pending", "initiating", "running")]
    mine = [one["id"] for one in live if one.get("tags", {}).get(LEASE) == lease_id]
    return [Call(service="fis", operation="stop_experiment", parameters={"id": each}) for each in mine]


def _all_tried(access: Access, calls: list[Call]) -> list[str]:
    """Make every call; the errors, in words."""
    failed = []
    for call in calls:
        try:
            call.run(access)
        except ChaosdayError as error:
            failed.append(str(error))
    return failed


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
