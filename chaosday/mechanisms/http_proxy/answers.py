"""The errors that AWS services give, in the words and formats of each protocol.

Formats: Smithy's AWS protocol specifications (restXml, awsQuery, ec2Query, awsJson, restJson1, rpcv2Cbor).
"""

from __future__ import annotations

import json

from chaosday.mechanisms.http_proxy.recognise import Asked

REASONS = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}
REASONS |= {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
REQUEST_ID = "chaosday-injected"


def throttled(asked: Asked) -> tuple[int, str]:
    """Status and code by which the service says that it is asked too often."""
    if asked.protocol == "s3":
        return (503, "SlowDown") if asked.service == "s3" else (400, "Throttling")
    if asked.protocol == "ec2":
        return 503, "RequestLimitExceeded"
    if asked.protocol == "query":
        return 400, "Throttling"
    special = {
        "dynamodb": "ProvisionedThroughputExceededException",
        "kinesis": "ProvisionedThroughputExceededException",
        "lambda": "TooManyRequestsException",
    }
    return (429 if asked.service == "lambda" or asked.protocol == "http" else 400), special.get(
        asked.service, "ThrottlingException"
    )


def expired(asked: Asked) -> tuple[int, str]:
    """Status and code for a session token that is past its time."""
    if asked.protocol == "s3":
        return 400, "ExpiredToken"
    return (400, "RequestExpired") if asked.protocol == "ec2" else (403, "ExpiredTokenException")


def denied(asked: Asked) -> tuple[int, str]:
    """Status and code for a request that is signed well and not permitted."""
    if asked.protocol == "ec2":
        return 403, "UnauthorizedOperation"
    if asked.protocol in ("s3", "query"):
        return 403, "AccessDenied"
    return (403 if asked.protocol == "rest-json" else 400), "AccessDeniedException"


def failed(asked: Asked) -> tuple[int, str]:
    """Status and code for a fault inside the service."""
    words = {"s3": "InternalError", "ec2": "InternalError", "query": "InternalFailure"}
    return 500, words.get(asked.protocol, "InternalServerError")


BY_WORD = {"throttled": throttled, "expired": expired, "denied": denied, "failed": failed}


def render(asked: Asked, status: int, code: str, message: str, retry_after_s: int = 0) -> bytes:
    """A whole response that says ``code`` the way the asked service would; ``code`` may be a word of ``BY_WORD``."""
    if code in BY_WORD:
        status, code = BY_WORD[code](asked)
    kind, body = _body(asked, code, message)
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Injected')}",
        f"Content-Type: {kind}",
        f"x-amzn-RequestId: {REQUEST_ID}",
    ]
    if asked.protocol in ("json", "rest-json"):
        lines.append(f"x-amzn-ErrorType: {code}")
    if retry_after_s:
        lines.append(f"Retry-After: {retry_after_s}")
    # A HEAD has the length of the body it does not get.
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()
    return head if asked.method == "HEAD" else head + body


def gone(method: str, why: str) -> bytes:
    """A whole response that says that the service cannot be reached; it is the last on its connection."""
    body = f"chaosday http-proxy: the service behind it cannot be reached: {why}\n".encode()
    head = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + (b"" if method == "HEAD" else body)


def _body(asked: Asked, code: str, message: str) -> tuple[str, bytes]:
    text = message or "chaosday: injected"
    if asked.protocol in ("json", "rest-json"):
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": text}).encode()
    if asked.protocol == "cbor":
        return "application/cbor", _cbor_map({"__type": code, "message": text})
    if asked.protocol == "http":
        return "text/plain; charset=utf-8", f"{text}\n".encode()
    inner = f"<Code>{code}</Code><Message>{_escaped(text)}</Message>"
    if asked.service == "s3":
        resource = f"<Resource>{_escaped(asked.path)}</Resource><RequestId>{REQUEST_ID}</RequestId>"
        return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}{resource}</Error>'.encode()
    if asked.protocol == "ec2":
        whole = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
        return "text/xml", whole.encode()
    whole = (
        f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    )
    return "text/xml", whole.encode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cbor_map(fields: dict[str, str]) -> bytes:
    """A map of text to text (RFC 8949, major types 5 and 3)."""

    def text(value: str) -> bytes:
        data = value.encode()
        size = bytes([0x60 | len(data)]) if len(data) < 24 else b"\x79" + len(data).to_bytes(2, "big")
        return size + data

    return bytes([0xA0 | len(fields)]) + b"".join(text(name) + text(value) for name, value in fields.items())
