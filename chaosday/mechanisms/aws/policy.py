"""Faults by a denying statement in a resource's policy; only that statement is ever added or taken away."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import Any

from chaosday.errors import Refused
from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.tagging import Resource

SID = "ChaosdayDeny"
LOCKS_OUT = ("*", "s3:*", "s3:putbucketpolicy", "s3:deletebucketpolicy", "sqs:*", "sqs:setqueueattributes", "sns:*")


class PolicyFault(AccountFault):
    """Adds one denying statement to resource policies, in front of what is there, and takes it out again."""

    principal: str = "*"
    """An account, role or user ARN, or everybody."""
    actions: list[str] = []

    @abstractmethod
    def read(self, aws: Aws, one: Resource) -> str:
        """The policy document as it is; empty text for none."""

    @abstractmethod
    def write(self, one: Resource, policy: str) -> Call:
        """The call that puts a document in its place; empty text takes it away."""

    def resources_of(self, one: Resource) -> list[str]:
        """What the statement is about."""
        return [one.arn]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        locks = [action for action in self.actions if action.lower() in LOCKS_OUT]
        if locks or not self.actions:
            raise Refused(f"{self.kind}: actions {locks or 'empty'}: name single actions, none that would lock us out")
        return [self.write(one, self._with_ours(self.read(aws, one), one)) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self.write(one, self.read(aws, one)) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        return {one.id: json.loads(self.read(aws, one) or "null") for one in resources}

    def hurt(self, before: Any, now: Any) -> bool:
        return any(each.get("Sid", "").startswith(SID) for each in (now or {}).get("Statement", []))

    def _with_ours(self, policy: str, one: Resource) -> str:
        document = json.loads(policy) if policy else {"Version": "2012-10-17", "Statement": []}
        who = "*" if self.principal == "*" else {"AWS": self.principal}
        about = self.resources_of(one)
        ours = {"Sid": SID, "Effect": "Deny", "Principal": who, "Action": self.actions, "Resource": about}
        return json.dumps({**document, "Statement": [ours, *document["Statement"]]})
