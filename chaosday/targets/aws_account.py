"""An AWS account in one region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, SecretStr

from chaosday.errors import Refused
from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.account_leases import AccountLeases
from chaosday.mechanisms.aws.session import Access, spoken
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.model.words import NO_LOGIN


class AwsAccount(Target):
    """An account and region, reached with a profile, keys, a role to assume, or boto3's own chain.

    ``scheduler_role_arn`` is a role that EventBridge Scheduler may assume and that allows the
    reverting calls: with it faults end by themselves, without us. ``account_id`` set means that any
    other account is refused.
    """

    kind: Literal["aws_account"] = "aws_account"
    region: str = "us-east-1"
    profile: str = ""
    role_arn: str = ""
    external_id: SecretStr | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    endpoint_url: str = Field(default="", pattern=NO_LOGIN, description="Empty: AWS itself")
    account_id: str = Field(default="", pattern=r"^(\d{12})?$")
    scheduler_role_arn: str = ""

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {Aws: self, LeaseHolder: AccountLeases(self.access(), self.scheduler_role_arn)}

    def access(self) -> Access:
        fields = {name: getattr(self, name) for name in Access.model_fields if name in type(self).model_fields}
        return Access(**fields)

    def client(self, service: str) -> Any:
        return self.access().client(service)

    def durable(self) -> bool:
        return bool(self.scheduler_role_arn)

    def fences(self, affected: Sequence[str]) -> list[str]:
        """What is hurt of it, thing by thing: other experiments may hurt other things of it."""
        return [f"aws {self.endpoint_url or self.region} {thing}" for thing in affected]

    def reach(self) -> str:
        with spoken("asking sts who we are"):
            said = self.client("sts").get_caller_identity()
        if self.account_id and said["Account"] != self.account_id:
            raise Refused(f"these credentials are for account {said['Account']}, the target is {self.account_id}")
        return f"AWS account {said['Account']}, {self.region}, as {said['Arn']}"
