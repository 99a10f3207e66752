"""Well-known clients and servers see through an idle proxy what they see without it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.lab.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS
from tests.mechanisms.idle.clients import CLIENTS, service
from tests.mechanisms.idle.compare import Leads
from tests.mechanisms.idle.script import noise

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, int]]:
    with service() as place:
        yield place


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_client_sees_the_same(served: tuple[str, int], through_http: Leads, through_tcp: Leads, client: str) -> None:
    """Statuses, headers, bodies, frames and ends of what a client nobody here wrote asks a server."""
    ask = CLIENTS[client]
    direct = ask(*served)
    for leads in (through_http, through_tcp):
        assert ask(*leads(f"{served[0]}:{served[1]}")) == direct


def _of_a_bucket(url: str, bucket: str) -> list[Any]:
    """What an SDK sees of puts, parts, conditions, ranges and refusals."""
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=ACCESS_KEY,
                      aws_secret_access_key=SECRET_KEY, config=config)  # fmt: skip
    s3.create_bucket(Bucket=bucket)
    seen: list[Any] = [s3.put_object(Bucket=bucket, Key="k", Body=noise(300_000))["ETag"]]
    made = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = []
    for number in (1, 2):
        body = noise(5 << 20, number)
        tag = s3.upload_part(Bucket=bucket, Key="parts", UploadId=made, PartNumber=number, Body=body)["ETag"]
        parts.append({"ETag": tag, "PartNumber": number})
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=made, MultipartUpload={"Parts": parts})
    for question in ({"Key": "parts"}, {"Key": "k", "Range": "bytes=5-1000"}, {"Key": "k", "IfMatch": seen[0]},
                     {"Key": "k", "IfNoneMatch": seen[0]}, {"Key": "none"}):  # fmt: skip
        try:
            answer = s3.get_object(Bucket=bucket, **question)
            seen.append((answer["ContentLength"], hashlib.sha256(answer["Body"].read()).hexdigest()))
        except ClientError as error:
            seen.append(error.response["Error"]["Code"])
    seen.append([each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]])
    return seen


@pytest.mark.parametrize("store", ["moto", "weed"])
def test_an_sdk_of_aws_sees_the_same(
    moto: str, weed: SeaweedFS, through_http: Leads, through_tcp: Leads, store: str
) -> None:
    """Multipart uploads, conditions, ranges and refusals, against two stores."""
    url = moto if store == "moto" else weed.url
    place = urlsplit(url).netloc
    direct = _of_a_bucket(url, f"idle-direct-{store}")
    for kind, leads in (("http", through_http), ("tcp", through_tcp)):
        host, port = leads(place)
        assert _of_a_bucket(f"http://{host}:{port}", f"idle-{kind}-{store}") == direct
