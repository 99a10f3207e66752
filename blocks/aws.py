"""The blocks for an AWS account and for an S3 bucket."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from chaosday.errors import ChaosdayError
from chaosday.targets.aws_account import AwsAccount
from chaosday.targets.s3_store import S3Store


class AwsAccountBlock(Block):
    """An AWS account and region, the role that experiments use in it, and the role that reverts by itself."""

    _block_type_name = "chaosday AWS account"
    _block_type_slug = "chaosday-aws-account"
    _description = "An AWS account that experiments may change, and give back."

    region: str = "us-east-1"
    account_id: str = Field(default="", description="Any other account is refused")
    profile: str = Field(default="", description="A profile of the worker's AWS configuration; empty: its own chain")
    role_arn: str = Field(default="", description="A role to assume")
    access_key: SecretStr | None = Field(default=None, description="Only where no profile or role will do")
    secret_key: SecretStr | None = None
    scheduler_role_arn: str = Field(default="", description="The role with which EventBridge Scheduler reverts")
    endpoint_url: str = Field(default="", description="Empty: AWS itself")

    def target(self) -> AwsAccount:
        """The kernel's noun for it."""
        return AwsAccount(**{name: getattr(self, name) for name in _OF_ACCOUNT})

    def check(self) -> str:
        """In words: who these credentials are, or why they cannot be used."""
        try:
            return f"{self.target().reach()}; ready"
        except ChaosdayError as error:
            return f"cannot be used: {error}"


_OF_ACCOUNT = (
    "region",
    "account_id",
    "profile",
    "role_arn",
    "access_key",
    "secret_key",
    "scheduler_role_arn",
    "endpoint_url",
)


class S3Bucket(Block):
    """A bucket in S3, or in anything that speaks its API, and the prefix in it that is ours."""

    _block_type_name = "chaosday S3 bucket"
    _block_type_slug = "chaosday-s3-bucket"
    _description = "A bucket that chaosday may write under a prefix of."

    endpoint_url: str = Field(default="", description="Empty: AWS itself")
    region: str = "us-east-1"
    bucket: str = "chaosday"
    prefix: str = "chaosday/"
    profile: str = ""
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None

    def target(self, via: str = "") -> S3Store:
        """The kernel's noun for it, going through the route called ``via`` if one is named."""
        names = ("endpoint_url", "region", "bucket", "prefix", "profile", "access_key", "secret_key")
        return S3Store(via=via, **{name: getattr(self, name) for name in names})

    def check(self) -> str:
        """In words: whether the bucket can be reached."""
        try:
            return f"{self.target().reach()}; ready"
        except ChaosdayError as error:
            return f"cannot be used: {error}"
