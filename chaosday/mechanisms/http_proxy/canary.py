"""Canaries: requests that match a rule and can do no harm, because the proxy never passes them on.

A request whose header ``x-chaosday-canary`` holds a ticket of the proxy's goes through the same rules as any other;
what the service would have answered is replaced by a body that both ends know. What the sender then sees on its own
socket is the measured effect: whether it was refused, how long it took, which bytes arrived. A ticket is random, given
out over the control socket, and good for one request; with anything else in that header a request is a client's own.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import secrets
import threading
import time
from dataclasses import dataclass, replace

from chaosday.mechanisms.http_proxy.message import Broken, Head
from chaosday.mechanisms.http_proxy.recognise import S3_OPERATIONS, Asked
from chaosday.mechanisms.http_proxy.rule import Match
from chaosday.processes.limits.sockets import CutConnection, Cutter

CANARY = "x-chaosday-canary"
STAMP_BYTES = 20
_FILLING = hashlib.shake_256(b"chaosday canary").digest(4096)
DATE = "20000101"
LONGEST_BYTES = 16 << 20
LATE = "late"


@dataclass(frozen=True)
class Seen:
    """What the client's end of one request looked like: no status when there was no whole answer."""

    status: int | None
    seconds: float
    body: bytes = b""
    error: str = ""

    @property
    def whole(self) -> bool:
        return self.status is not None and not self.error


def canned(asked: Asked) -> tuple[Head, bytes]:
    """The answer to a canary: a time stamp, a filling, and the digest of both."""
    body = b"%020d" % time.monotonic_ns() + _FILLING
    body += hashlib.sha256(body).digest()
    head = Head(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(body))
    return head, b"" if asked.method == "HEAD" else body


def intact(body: bytes) -> bool:
    """Whether every byte of a canary's answer arrived as it was sent."""
    return len(body) > 32 and hashlib.sha256(body[:-32]).digest() == body[-32:]


class Tickets:
    """What makes a request a canary: random, good for one request, and for this route alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._until_s: dict[str, float] = {}

    def give(self, lasts_s: float) -> str:
        """A new one."""
        drawn, now = secrets.token_hex(16), time.monotonic()
        with self._lock:
            self._until_s = {each: until for each, until in self._until_s.items() if until > now}
            self._until_s[drawn] = now + lasts_s
        return f"{drawn}-{self._signed(drawn)}"

    def take(self, given: str) -> bool:
        """Whether this is one; ``Broken`` where it was one once: what carries it may delete what it names."""
        drawn, _, signed = given.partition("-")
        if not hmac.compare_digest(signed.encode(), self._signed(drawn).encode()):
            return False
        with self._lock:
            if self._until_s.pop(drawn, 0.0) < time.monotonic():
                raise Broken("a canary too late, or for the second time")
        return True

    def _signed(self, drawn: str) -> str:
        return hmac.new(self._key, drawn.encode(), hashlib.sha256).hexdigest()


def canary_for(match: Match, ticket: str) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers of a request that ``match`` fits, with no credentials in it."""
    headers = {CANARY: ticket}
    service = match.service or ("s3" if match.operations or match.bucket != "*" or match.key != "*" else "")
    if not service:
        return (match.methods or ["GET"])[0], _plain(match.path, "/"), headers
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=CANARY/{DATE}/us-east-1/{service}/aws4_request"
    if service != "s3":
        headers["X-Amz-Target"] = f"Canary.{(match.operations or ['Any'])[0]}"
        return (match.methods or ["POST"])[0], "/", headers
    return _s3_request(match, headers)


def _s3_request(match: Match, headers: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    operation = (match.operations or ["GetObject"])[0]
    method, place, mark = S3_OPERATIONS.get(operation, ("GET", "key", ""))
    bucket, key = _plain(match.bucket, "canary-bucket"), _plain(match.key, "canary-key")
    target = {"service": "/", "bucket": f"/{bucket}", "key": f"/{bucket}/{key}"}[place]
    if mark.startswith("x-"):
        headers[mark] = "/canary/source"
    elif mark:
        target += f"?{mark}=1"
    return method, target, headers


def _plain(pattern: str, default: str) -> str:
    """A text that the shell pattern fits; sets are taken at their first member."""
    if pattern == "*":
        return default
    text, index = "", 0
    while index < len(pattern):
        letter = pattern[index]
        if letter == "[" and "]" in pattern[index + 2 :]:
            end = pattern.index("]", index + 2)
            negated = pattern[index + 1] == "!"
            text += next(c for c in "0aA_~" if c not in pattern[index:end]) if negated else pattern[index + 1]
            index = end + 1
            continue
        text += {"*": "canary", "?": "c"}.get(letter, letter)
        index += 1
    return text


def send(address: str, match: Match, ticket: str, *, timeout_s: float, upload: bool = False) -> Seen:
    """Send one canary to ``host:port`` over a new connection and say what came back."""
    method, target, headers = canary_for(match, ticket)
    # A rule may let the body come in drops: each of them has the time-out, and all of them ten.
    body = _FILLING if upload else None
    return ask(address, method, target, headers, timeout_s=timeout_s, limit_s=10 * timeout_s, body=body)


def ask(
    address: str,
    method: str,
    target: str,
    headers: dict[str, str],
    *,
    timeout_s: float,
    limit_s: float = 0,
    body: bytes | None = None,
) -> Seen:
    """One request over a new connection, its outcome as the client sees it.

    ``limit_s`` is for all of it, ``timeout_s`` for each piece; 0 is the same.
    """
    host, _, port = address.rpartition(":")
    with Cutter(limit_s or timeout_s) as cutter:
        connection = CutConnection(host, int(port), timeout=timeout_s, cutter=cutter)
        seen = _asked(connection, method, target, headers, body)
    # What was cut may look like an end: a body without a length has no other.
    return replace(seen, error=f"no answer in {timeout_s:g} s") if cutter.over or seen.error == LATE else seen


def _asked(
    connection: http.client.HTTPConnection, method: str, target: str, headers: dict[str, str], body: bytes | None
) -> Seen:
    began = time.perf_counter()
    status: int | None = None
    got = b""
    try:
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        status = response.status
        while piece := response.read(1 << 16):
            got += piece
            if len(got) > LONGEST_BYTES:
                return Seen(status, time.perf_counter() - began, got, f"more than {LONGEST_BYTES} bytes")
    except http.client.IncompleteRead as error:
        return Seen(status, time.perf_counter() - began, got + error.partial, "incomplete body")
    except TimeoutError:
        return Seen(status, time.perf_counter() - began, got, LATE)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Seen(status, time.perf_counter() - began, got, type(error).__name__)
    finally:
        connection.close()
    return Seen(status, time.perf_counter() - began, got)
