"""The capability of whatever answers HTTP, and one request to it as a client sees it."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Protocol, runtime_checkable

from chaosday.mechanisms.http_proxy.canary import Seen

_LONGEST_BYTES = 16 * 1024 * 1024


@runtime_checkable
class Web(Protocol):
    """A service that is asked over HTTP."""

    def ask(self, method: str, target: str, headers: dict[str, str], *, timeout_s: float) -> Seen:
        """One request, its outcome as the client sees it; no status where no whole answer came."""


@dataclass(frozen=True)
class WebClient:
    """Requests below a base address, with headers that every one of them carries."""

    base_url: str
    headers: Mapping[str, str]

    def ask(self, method: str, target: str, headers: dict[str, str], *, timeout_s: float) -> Seen:
        """One request; redirects are followed, as a browser would."""
        request = urllib.request.Request(
            self.base_url.rstrip("/") + target, method=method, headers={**self.headers, **headers}
        )
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return Seen(answer.status, time.perf_counter() - began, answer.read(_LONGEST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                return Seen(error.code, time.perf_counter() - began, error.read(_LONGEST_BYTES))
        except urllib.error.URLError as error:
            return Seen(None, time.perf_counter() - began, error=_line(error.reason))
        except (OSError, HTTPException) as error:
            return Seen(None, time.perf_counter() - began, error=_line(error))


def _line(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
