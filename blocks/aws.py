"""The blocks for an AWS account and for an S3 bucket."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from blocks.target_block import TargetBlock
from chaosday.model.target import Target
from chaosday.targets.aws_account import AwsAccount
from chaosday.targets.s3_store import S3Store


class AwsAccountBlock(TargetBlock):
    """An AWS account and region, the role that experiments use in it, and the role that reverts by itself."""

    _model: ClassVar[type[Target]] = AwsAccount
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


class S3Bucket(TargetBlock):
    """A bucket in S3, or in anything that speaks its API, and the prefix in it that is ours."""

    _model: ClassVar[type[Target]] = S3Store
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
