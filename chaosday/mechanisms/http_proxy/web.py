"""The capability of whatever answers HTTP, and one request to it as a client sees it."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import IO, Protocol, runtime_checkable

from chaosday.mechanisms.http_proxy.canary import LONGEST_BYTES, Seen
from chaosday.mechanisms.http_proxy.redirects import WithinOrigin
from chaosday.processes.limits.sockets import Cutter, handlers
from chaosday.processes.limits.within import GARBLED


@runtime_checkable
class Web(Protocol):
    """A service that is asked over HTTP."""

    def ask(
        self, method: str, target: str, headers: dict[str, str], *, timeout_s: float, body: bytes | None = None
    ) -> Seen:
        """One request, its outcome as the client sees it; no status where no whole answer came."""


@dataclass(frozen=True)
class WebClient:
    """Requests below a base address, with headers that every one of them carries."""

    base_url: str
    headers: Mapping[str, str]
    context: ssl.SSLContext | None = None
    """For https: whom we trust and who we are; None: whom this machine trusts."""

    def ask(
        self, method: str, target: str, headers: dict[str, str], *, timeout_s: float, body: bytes | None = None
    ) -> Seen:
        """One request, all of it within ``timeout_s``; redirects are followed within the address's own origin only."""
        request = urllib.request.Request(
            self.base_url.rstrip("/") + target, data=body, method=method, headers={**self.headers, **headers}
        )
        began = time.perf_counter()
        with Cutter(timeout_s) as cutter:
            seen = _asked(
                urllib.request.build_opener(WithinOrigin(), *handlers(cutter, self.context)), request, timeout_s
            )
        taken_s = time.perf_counter() - began
        late = f"no whole answer in {timeout_s:g} s"
        # What was cut may look like an end: a body without a length has no other.
        return Seen(None, taken_s, error=late) if cutter.over else replace(seen, seconds=taken_s)


def _asked(opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout_s: float) -> Seen:
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return _whole(answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _whole(error.code, error)
    except urllib.error.URLError as error:
        return Seen(None, 0, error=_line(error.reason))
    # Where a redirect leads may be no address at all.
    except (OSError, HTTPException, *GARBLED) as error:
        return Seen(None, 0, error=_line(error))


def _whole(status: int, answer: IO[bytes]) -> Seen:
    try:
        body = answer.read(LONGEST_BYTES + 1)
    except (OSError, HTTPException, *GARBLED) as error:
        return Seen(None, 0, error=_line(error))
    if len(body) > LONGEST_BYTES:
        return Seen(status, 0, body[:LONGEST_BYTES], f"more than {LONGEST_BYTES} bytes")
    return Seen(status, 0, body)


def _line(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
