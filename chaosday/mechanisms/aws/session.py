"""Credentials and clients for AWS or anything that speaks its APIs; nothing here is ever printed."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, TargetUnreachable
from chaosday.model.base import Model
from chaosday.processes.limits.bodies import BoundedHttp

DRIP_S = 20.0
DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthFailure",
    "InvalidAccessKeyId",
    "ExpiredToken",
    "ExpiredTokenException",
    "SignatureDoesNotMatch",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "403",
}


class Access(Model):
    """Where and as whom: without keys or a profile, boto3's own chain is asked (environment, instance role)."""

    endpoint_url: str = ""
    region: str = "us-east-1"
    profile: str = ""
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    role_arn: str = ""
    external_id: SecretStr | None = None
    proxy: str = ""
    """``host:port`` of an HTTP proxy that requests go through; the proxy speaks TLS to the service."""
    timeout_s: float = Field(default=10, gt=0)
    attempts: int = Field(default=3, ge=1)

    def client(self, service: str) -> Any:
        """A boto3 client, cached for as long as nothing about the access changes."""
        return _client(_Key(self), service)


class _Key:
    """An Access as a dictionary key: equal values are equal keys, and its text shows nothing."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._words = tuple(
            value.get_secret_value() if isinstance(value, SecretStr) else value for _, value in sorted(access)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._words == other._words

    def __hash__(self) -> int:
        return hash(self._words)


@cache
def _client(key: _Key, service: str) -> Any:
    access = key.access
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise CapabilityMissing("AWS targets need boto3: pip install 'chaosday[cloud]'") from None
    config = Config(
        connect_timeout=min(5.0, access.timeout_s),
        read_timeout=access.timeout_s,
        retries={"total_max_attempts": access.attempts, "mode": "standard"},
        max_pool_connections=64,
        s3={"addressing_style": "path"} if access.endpoint_url or access.proxy else {},
        proxies={"http": f"http://{access.proxy}"} if access.proxy else {},
    )
    session = _session(boto3, access)
    client = session.client(service, endpoint_url=_endpoint(session, access, service), config=config)
    # The time-outs of the configuration are for each piece of an answer.
    client._endpoint.http_session = BoundedHttp(client._endpoint.http_session, access.timeout_s + DRIP_S)
    return client


def _session(boto3: Any, access: Access) -> Any:
    def secret(value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value is not None else None

    session = boto3.Session(
        profile_name=access.profile or None,
        region_name=access.region,
        aws_access_key_id=secret(access.access_key),
        aws_secret_access_key=secret(access.secret_key),
        aws_session_token=secret(access.session_token),
    )
    if not access.role_arn:
        return session
    said: dict[str, str] = {"RoleArn": access.role_arn, "RoleSessionName": "chaosday"}
    if access.external_id is not None:
        said["ExternalId"] = access.external_id.get_secret_value()
    sts = session.client("sts", endpoint_url=access.endpoint_url or None)
    with spoken(f"assuming {access.role_arn}"):
        found = sts.assume_role(**said)["Credentials"]
    return boto3.Session(
        region_name=access.region,
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
    )


def _endpoint(session: Any, access: Access, service: str) -> str | None:
    if not access.proxy:
        return access.endpoint_url or None
    # The request has to be plain HTTP up to the proxy, and signed for the host it is really meant for.
    url = access.endpoint_url or f"https://{service}.{access.region}.amazonaws.com"
    parts = urlsplit(url)
    return f"http://{parts.netloc}"


class spoken:
    """Turns boto3's errors inside the block into ours: one line, no request, no credentials."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and (ours := explained(error, self._doing)) is not None:
            raise ours from None


def explained(error: BaseException, doing: str) -> ChaosdayError | None:
    """The error in our words, or None where it is none of boto3's."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "error")
        words = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())[:160]
        if code in DENIED:
            return AccessDenied(f"{doing}: {code}; the account's policies have to allow it")
        return CallFailed(f"{doing}: {code}: {words}", code)
    if isinstance(error, BotoCoreError):
        return TargetUnreachable(f"{doing}: {type(error).__name__}; is the endpoint right, are there credentials?")
    if isinstance(error, ResponseParserError):
        return CallFailed(f"{doing}: the service gave an answer that is none of its own; is it ill?")
    return None


class CallFailed(ChaosdayError):
    """The service answered with an error of the request's own; ``code`` is the service's name for it."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)
