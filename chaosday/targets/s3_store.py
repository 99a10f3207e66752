"""A bucket in S3 or in anything that speaks its API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, SecretStr

from chaosday.errors import CapabilityMissing
from chaosday.mechanisms.aws.object_leases import ObjectLeases
from chaosday.mechanisms.aws.objects import Objects
from chaosday.mechanisms.aws.session import Access, explained
from chaosday.model.lease import LeaseHolder
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.model.words import NO_LOGIN
from chaosday.stores.s3 import S3ObjectStore

PATIENT_ATTEMPTS = 6
"""For arming, undoing and looking: a SlowDown or one 500 must not leave a fault on."""


class S3Store(Target):
    """A bucket, and a prefix in it that is ours. Without keys, boto3's own chain is asked."""

    kind: Literal["s3_store"] = "s3_store"
    endpoint_url: str = Field(default="", pattern=NO_LOGIN, description="Empty: AWS itself")
    region: str = "us-east-1"
    bucket: str = "chaosday"
    prefix: str = Field(default="chaosday/", pattern=r"^([^/].*/)?$")
    profile: str = ""
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    role_arn: str = ""
    via: str = ""
    """Name of an http_route target that requests go through."""
    proxy: str = Field(default="", pattern=r"^[^\s@]*$")
    """``host:port`` of that route; set by ``through``."""
    timeout_s: float = Field(default=10, gt=0)
    attempts: int = Field(default=1, ge=1)
    """How often a request of the workload is tried in all; 1 shows each fault as it is, the SDK's default is 3 to 5."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        store = S3ObjectStore(self.s3, self.bucket, self.prefix)
        return {Objects: self, Store: store, LeaseHolder: ObjectLeases(self)}

    def access(self) -> Access:
        """Where and as whom, for machinery that needs another service of the same account."""
        fields = {name: getattr(self, name) for name in Access.model_fields if name in type(self).model_fields}
        return Access(**fields)

    def s3(self) -> Any:
        return self.access().client("s3")

    def patient_s3(self) -> Any:
        return self.access().model_copy(update={"attempts": max(self.attempts, PATIENT_ATTEMPTS)}).client("s3")

    def is_aws(self) -> bool:
        return not self.endpoint_url

    def through(self, route: Target) -> Self:
        """The same store, reached through a route: signatures stay those of the store itself."""
        listen = getattr(route, "listen", None)
        if listen is None:
            raise CapabilityMissing(f"an s3_store goes via an http_route target, not a {route.kind}")
        return self.model_copy(update={"proxy": listen()})

    def fences(self, affected: Sequence[str]) -> list[str]:
        return [f"s3 {self.endpoint_url or self.region} {self.bucket}/{self.prefix}"]

    def reach(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        where = f"bucket {self.bucket} at {self.endpoint_url or f'AWS {self.region}'}"
        try:
            self.s3().head_bucket(Bucket=self.bucket)
            versions = self.s3().get_bucket_versioning(Bucket=self.bucket).get("Status", "off")
        except (BotoCoreError, ClientError) as error:
            raise explained(error, where) or error from None
        return f"{where}, prefix {self.prefix or '(none)'}, versioning {versions.lower()}"
