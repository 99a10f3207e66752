"""A role or user that may do less."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict

POLICY = "chaosday-deny"


class IamDeny(AccountFault):
    """Denies ``actions`` to roles or users by an inline policy of ours, and removes that policy."""

    kind: Literal["cloud.iam.deny"] = "cloud.iam.deny"
    what: ClassVar[str] = "principal"
    principals: Literal["role", "user"] = "role"
    actions: list[str] = ["s3:*"]
    resources: list[str] = ["*"]

    def found(self, aws: Aws) -> list[Resource]:
        plural, name = f"{self.principals.title()}s", self._field
        client = aws.client("iam")
        ask = client.list_role_tags if self.principals == "role" else client.list_user_tags
        return [
            Resource(kind=self.principals, id=one[name], arn=one["Arn"], tags=as_dict(ask(**{name: one[name]})["Tags"]))
            for one in every(aws, "iam", f"list_{self.principals}s", plural)
            if not self.ids or {one[name], one["Arn"]} & set(self.ids)
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        deny = {"Effect": "Deny", "Action": self.actions, "Resource": self.resources}
        document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        given = {"PolicyName": POLICY, "PolicyDocument": document}
        return [self._call("put", {self._field: one.id, **given}) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call("delete", {self._field: one.id, "PolicyName": POLICY}) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        listing = f"list_{self.principals}_policies"
        return {one.id: sorted(every(aws, "iam", listing, "PolicyNames", **{self._field: one.id})) for one in resources}

    def hurt(self, before: Any, now: Any) -> bool:
        return POLICY in (now or [])

    @property
    def _field(self) -> str:
        return "RoleName" if self.principals == "role" else "UserName"

    def _call(self, verb: str, parameters: dict[str, Any]) -> Call:
        gone = ["NoSuchEntity"] if verb == "delete" else []
        return Call(service="iam", operation=f"{verb}_{self.principals}_policy", parameters=parameters, done_if=gone)
