"""Faults of AWS-compatible requests, as a real SDK client sees them, against moto and SeaweedFS."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.mechanisms.http_proxy.message import Head
from chaosday.mechanisms.http_proxy.recognise import recognise
from chaosday.model.fault import Fault
from chaosday.registry import member
from chaosday.targets.http_route import HttpRoute
from chaosday.targets.s3_store import S3Store
from tests.faults.cloud.living import struck

BODY = bytes(range(256)) * 2048


def routed(store: S3Store, proxy: HttpProxyProcess) -> tuple[HttpRoute, S3Store]:
    """A route to the store, and the store seen through it."""
    proxy.add_route(store.bucket, store.endpoint_url)
    route = HttpRoute(control=proxy.control, route=store.bucket)
    return route, store.through(route)


def fault_of(kind: str, **fields: object) -> Fault:
    fault = member("faults", kind).model_validate({"target": "route", **fields})
    assert isinstance(fault, Fault)
    return fault


@pytest.mark.parametrize(
    ("kind", "fields", "seen"),
    [
        ("cloud.api.throttle", {}, "SlowDown"),
        ("cloud.api.error", {}, "InternalError"),
        ("cloud.api.error", {"status": 503}, "ServiceUnavailable"),
        ("cloud.api.denied", {}, "AccessDenied"),
        ("cloud.api.expired_token", {}, "ExpiredToken"),
        ("cloud.api.lost_answer", {}, "InternalError"),
        ("cloud.api.reset", {}, "ResponseStreamingError"),
        ("cloud.api.alter", {}, "FlexibleChecksumError"),
        ("cloud.api.truncate", {}, "FlexibleChecksumError"),
    ],
)
def test_client_sees(store: S3Store, proxy: HttpProxyProcess, kind: str, fields: dict[str, object], seen: str) -> None:
    """Each fault comes out of the SDK as the error it stands for; other keys and the time after are unhurt."""
    route, through = routed(store, proxy)
    for key in ("hurt", "other"):
        through.s3().put_object(Bucket=store.bucket, Key=key, Body=BODY)
    with struck(fault_of(kind, operations=["GetObject"], key="hurt", **fields), route) as (_, bite):
        assert bite.bit, bite.why
        with pytest.raises((ClientError, BotoCoreError)) as caught:
            through.s3().get_object(Bucket=store.bucket, Key="hurt")["Body"].read()
        code = (getattr(caught.value, "response", None) or {}).get("Error", {}).get("Code")
        assert seen in (code, type(caught.value).__name__)
        assert through.s3().get_object(Bucket=store.bucket, Key="other")["Body"].read() == BODY
    assert through.s3().get_object(Bucket=store.bucket, Key="hurt")["Body"].read() == BODY


def test_signatures_stay_valid(weed: object, proxy: HttpProxyProcess) -> None:
    """A server that checks signatures takes what comes through the proxy and refuses a wrong key through it."""
    from tests.faults.cloud.conftest import store_at

    store = store_at(weed.url, "lab-signed")  # type: ignore[attr-defined]
    _, through = routed(store, proxy)
    through.s3().put_object(Bucket=store.bucket, Key="k", Body=BODY, ChecksumAlgorithm="SHA256")
    assert store.s3().get_object(Bucket=store.bucket, Key="k")["Body"].read() == BODY
    wrong = through.model_copy(update={"secret_key": type(store.secret_key)("wrong")})  # type: ignore[misc]
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.s3().put_object(Bucket=store.bucket, Key="k", Body=b"")


def test_lost_answer_was_carried_out(store: S3Store, proxy: HttpProxyProcess) -> None:
    """A put whose answer is lost is in the store: the client was told an error."""
    route, through = routed(store, proxy)
    with struck(fault_of("cloud.api.lost_answer", operations=["PutObject"]), route):
        with pytest.raises(ClientError):
            through.s3().put_object(Bucket=store.bucket, Key="k", Body=b"there")
        assert store.s3().get_object(Bucket=store.bucket, Key="k")["Body"].read() == b"there"


def test_refused_upload_never_arrived(store: S3Store, proxy: HttpProxyProcess) -> None:
    """A throttled put and one that was reset in its body are not in the store."""
    route, through = routed(store, proxy)
    for kind, fields in [("cloud.api.throttle", {}), ("cloud.api.reset", {"upload": True, "after_bytes": 1000})]:
        with struck(fault_of(kind, operations=["PutObject"], **fields), route) as (_, bite):  # type: ignore[arg-type]
            assert bite.bit
            with pytest.raises((ClientError, BotoCoreError)):
                through.s3().put_object(Bucket=store.bucket, Key="k", Body=BODY)
            assert "Contents" not in store.s3().list_objects_v2(Bucket=store.bucket)


def test_stale_listing(store: S3Store, proxy: HttpProxyProcess) -> None:
    """While the fault lasts a listing shows what it showed first; the object itself can be read."""
    route, through = routed(store, proxy)

    def keys() -> list[str]:
        return [item["Key"] for item in through.s3().list_objects_v2(Bucket=store.bucket).get("Contents", [])]

    through.s3().put_object(Bucket=store.bucket, Key="a", Body=b"1")
    with struck(fault_of("cloud.api.stale_listing"), route) as (_, bite):
        assert bite.bit
        assert keys() == ["a"]
        through.s3().put_object(Bucket=store.bucket, Key="b", Body=b"2")
        assert keys() == ["a"]
        assert through.s3().get_object(Bucket=store.bucket, Key="b")["Body"].read() == b"2"
    assert keys() == ["a", "b"]


@pytest.mark.parametrize(
    ("service", "call", "arguments", "operation", "code"),
    [
        ("dynamodb", "list_tables", {}, "ListTables", "ProvisionedThroughputExceededException"),
        ("sqs", "list_queues", {}, "ListQueues", "ThrottlingException"),
        ("ec2", "describe_instances", {}, "DescribeInstances", "RequestLimitExceeded"),
        ("iam", "list_users", {}, "ListUsers", "Throttling"),
        ("lambda", "list_functions", {}, "", "TooManyRequestsException"),
        ("kinesis", "list_streams", {}, "ListStreams", "ProvisionedThroughputExceededException"),
        ("route53", "list_hosted_zones", {}, "", "Throttling"),
        ("sns", "list_topics", {}, "ListTopics", "Throttling"),
    ],
)
def test_other_services(
    moto: str, proxy: HttpProxyProcess, service: str, call: str, arguments: dict[str, str], operation: str, code: str
) -> None:
    """Each protocol family is recognised, refused in its own words, and left alone when another operation is meant."""
    proxy.add_route(f"{service}-{call}", moto)
    route = HttpRoute(control=proxy.control, route=f"{service}-{call}")
    client = boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=f"http://{route.listen()}",
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    operations = [operation] if operation else []
    getattr(client, call)(**arguments)
    with struck(fault_of("cloud.api.throttle", service=service, operations=operations), route):
        with pytest.raises(ClientError) as caught:
            getattr(client, call)(**arguments)
        assert caught.value.response["Error"]["Code"] == code
    with struck(fault_of("cloud.api.throttle", service=service, operations=["Another"]), route):
        getattr(client, call)(**arguments)


@pytest.mark.parametrize(
    ("line", "host", "operation", "bucket", "key"),
    [
        ("GET /", "h", "ListBuckets", "", ""),
        ("GET /b?list-type=2&prefix=x", "h", "ListObjectsV2", "b", ""),
        ("GET /b/k%20e/y", "h", "GetObject", "b", "k e/y"),
        ("PUT /b/k?partNumber=1&uploadId=u", "h", "UploadPart", "b", "k"),
        ("POST /b/k?uploads", "h", "CreateMultipartUpload", "b", "k"),
        ("POST /b/k?uploadId=u", "h", "CompleteMultipartUpload", "b", "k"),
        ("POST /b?delete", "h", "DeleteObjects", "b", ""),
        ("GET /k", "bucket.s3.us-east-1.amazonaws.com", "GetObject", "bucket", "k"),
        ("GET http://s3.amazonaws.com/b/k", "s3.amazonaws.com", "GetObject", "b", "k"),
        ("GET http://[s3/b/k?uploadId=u", "h", "ListParts", "b", "k"),
        ("GET //b/k?next=http://[", "h", "GetObject", "b", "k"),
        ("GET http://h?list-type=2", "h", "ListBuckets", "", ""),
    ],
)
def test_recognises(line: str, host: str, operation: str, bucket: str, key: str) -> None:
    """Operation, bucket and key are read off method, path, query and host, in both addressing styles."""
    scope = "AWS4-HMAC-SHA256 Credential=K/20240101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    asked = recognise(Head(f"{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scope}\r\n\r\n".encode()))
    assert (asked.service, asked.operation, asked.bucket, asked.key) == ("s3", operation, bucket, key)
