"""One request to a receiver: bounded, never redirected, and without a secret in whatever is said of its failure."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from chaosday.errors import TargetUnreachable

HERE = ("localhost", "127.0.0.1", "::1")
"""Where nobody listens on the way."""
LONGEST_BYTES = 16 << 20


@dataclass(frozen=True)
class Asking:
    """Who is asked (``name``, as it is shown), where, and with what; ``secret`` where some of it is one."""

    name: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: bool = False
    timeout_s: float = 10.0

    def ask(self, method: str, path: str = "", body: Any = None) -> Any:
        """The answer's JSON, None where it has none; ``TargetUnreachable`` for all but 2xx."""
        address = self.address + path
        if not address.startswith(("http://", "https://")):
            raise TargetUnreachable(f"{self.name}: its address has to begin with http:// or https://")
        if "@" in urlsplit(address).netloc:
            raise TargetUnreachable(f"{self.name}: leave the login out of its address; token_env names a token")
        if self.secret and address.startswith("http://") and host_of(address) not in HERE:
            raise TargetUnreachable(f"{self.name}: a token goes over https:// only")
        data = None if body is None else orjson.dumps(body)
        try:
            request = urllib.request.Request(address, data, dict(self.headers), method=method)
            with _OPENER.open(request, timeout=self.timeout_s) as answer:
                said = answer.read(LONGEST_BYTES)
        except urllib.error.HTTPError as error:
            error.close()
            raise TargetUnreachable(f"{self.name} answers {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise TargetUnreachable(f"{self.name} does not answer ({kind_of(error)})") from None
        try:
            return orjson.loads(said)
        except orjson.JSONDecodeError:
            return None


def host_of(address: str) -> str:
    """The host of an address: of Slack's and Teams' the path is the secret."""
    try:
        return urlsplit(address).hostname or "an address without a host"
    except ValueError:
        return "an address that cannot be read"


def secret_in(variable: str) -> str:
    """What a variable of the environment holds; ``TargetUnreachable`` where that is nothing."""
    found = os.environ.get(variable, "") if variable else ""
    if not found:
        raise TargetUnreachable(f"${variable or '...'} is empty: it has to hold the receiver's secret")
    return found


def kind_of(error: BaseException) -> str:
    """What went wrong without its words, in which a library may repeat an address or a password."""
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, BaseException) else error).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was given, and to no other."""

    def redirect_request(self, *words: Any, **named: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
