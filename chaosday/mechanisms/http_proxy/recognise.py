"""What a request asks for, in AWS terms: service, operation, bucket and key, read off the wire format.

The service is in the credential scope of the signature (``Credential=KEY/DATE/REGION/SERVICE/aws4_request``);
the operation is in ``X-Amz-Target`` (JSON protocols), in ``Action=`` (query protocols), in the path
(``/service/NAME/operation/NAME`` of the CBOR protocol), or, for S3, in method, path and query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote

from chaosday.mechanisms.http_proxy.message import Head

Protocol = Literal["s3", "query", "ec2", "json", "rest-json", "cbor", "http"]

_SCOPE = re.compile(r"(?:Credential=|X-Amz-Credential=)[^/&,]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request", re.IGNORECASE)
_VIRTUAL_HOST = re.compile(r"^(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3[.-]")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://[^/?]*", re.IGNORECASE)
_CBOR = re.compile(r"/service/[^/]+/operation/(\w+)$")

# (method, what the path names, a query parameter or header that has to be there) -> operation, the first that fits.
_S3 = (
    ("GET", "service", "", "ListBuckets"),
    ("GET", "bucket", "list-type", "ListObjectsV2"),
    ("GET", "bucket", "versions", "ListObjectVersions"),
    ("GET", "bucket", "uploads", "ListMultipartUploads"),
    ("GET", "bucket", "policy", "GetBucketPolicy"),
    ("GET", "bucket", "versioning", "GetBucketVersioning"),
    ("GET", "bucket", "location", "GetBucketLocation"),
    ("GET", "bucket", "tagging", "GetBucketTagging"),
    ("GET", "bucket", "", "ListObjects"),
    ("HEAD", "bucket", "", "HeadBucket"),
    ("PUT", "bucket", "policy", "PutBucketPolicy"),
    ("PUT", "bucket", "versioning", "PutBucketVersioning"),
    ("PUT", "bucket", "", "CreateBucket"),
    ("DELETE", "bucket", "policy", "DeleteBucketPolicy"),
    ("DELETE", "bucket", "", "DeleteBucket"),
    ("POST", "bucket", "delete", "DeleteObjects"),
    ("GET", "key", "uploadId", "ListParts"),
    ("GET", "key", "tagging", "GetObjectTagging"),
    ("GET", "key", "", "GetObject"),
    ("HEAD", "key", "", "HeadObject"),
    ("PUT", "key", "partNumber", "UploadPart"),
    ("PUT", "key", "tagging", "PutObjectTagging"),
    ("PUT", "key", "x-amz-copy-source", "CopyObject"),
    ("PUT", "key", "", "PutObject"),
    ("POST", "key", "uploads", "CreateMultipartUpload"),
    ("POST", "key", "uploadId", "CompleteMultipartUpload"),
    ("DELETE", "key", "uploadId", "AbortMultipartUpload"),
    ("DELETE", "key", "", "DeleteObject"),
)
# operation -> the request that asks for it: method, what the path names, the parameter or header.
S3_OPERATIONS = {operation: (method, place, mark) for method, place, mark, operation in _S3}


@dataclass(frozen=True)
class Asked:
    """One request, recognised; empty text where there is nothing to say."""

    method: str
    path: str
    query: str = ""
    service: str = ""
    operation: str = ""
    bucket: str = ""
    key: str = ""
    protocol: Protocol = "http"


def recognise(head: Head, form: bytes = b"") -> Asked:
    """Read off what ``head`` asks for; ``form`` is the body where it is a form of the query protocol."""
    method, target, _ = head.start
    path, _, query = origin_form(target).partition("?")
    path = unquote(path) or "/"
    scope = _SCOPE.search(head.headers.get("authorization", "")) or _SCOPE.search(unquote(query))
    service = scope.group(1).lower() if scope else ""
    if service == "s3":
        bucket, key = _place(head, path)
        operation = _s3_operation(
            method, bucket, key, {name for name, _ in parse_qsl(query, True)} | head.headers.keys()
        )
        return Asked(method, path, query, "s3", operation, bucket, key, "s3")
    if wanted := head.headers.get("x-amz-target"):
        return Asked(method, path, query, service, wanted.rsplit(".", 1)[-1], protocol="json")
    if found := _CBOR.search(path):
        return Asked(method, path, query, service, found.group(1), protocol="cbor")
    fields = dict(parse_qsl(query, True)) | dict(parse_qsl(form.decode("utf-8", "replace"), True))
    if service and (action := fields.get("Action")):
        return Asked(method, path, query, service, action, protocol="ec2" if service == "ec2" else "query")
    operation = "Invoke" if service == "lambda" and path.endswith("/invocations") else ""
    protocol: Protocol = "s3" if service == "route53" else "rest-json" if service else "http"
    return Asked(method, path, query, service, operation, protocol=protocol)


def origin_form(target: str) -> str:
    """Path and query of a request's target (RFC 9112, 3.2), whatever stands before them where it is absolute."""
    target = target.partition("#")[0]
    if absolute := _ABSOLUTE.match(target):
        target = target[absolute.end() :]
        return target if target.startswith("/") else f"/{target}"
    return target


def has_form(head: Head) -> bool:
    """Whether the body has to be read before it is known what is asked for."""
    return "x-www-form-urlencoded" in head.headers.get("content-type", "").lower()


def _place(head: Head, path: str) -> tuple[str, str]:
    host = _VIRTUAL_HOST.match(head.headers.get("host", ""))
    if host:
        return host.group("bucket"), path.lstrip("/")
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def _s3_operation(method: str, bucket: str, key: str, marks: set[str]) -> str:
    place = "key" if key else "bucket" if bucket else "service"
    for wants_method, wants_place, mark, operation in _S3:
        if (wants_method, wants_place) == (method, place) and (not mark or mark in marks):
            return operation
    return ""
