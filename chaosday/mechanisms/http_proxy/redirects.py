"""Redirects of HTTP that are followed: within one origin (RFC 6454). What a request carries is meant for that alone."""

from __future__ import annotations

import urllib.request
from http.client import HTTPMessage
from typing import IO
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


class WithinOrigin(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same scheme, host and port; another one is the answer, to be looked at.

    ``urllib`` would send every header again, a bearer token among them, to wherever the answer says.
    """

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """The request to follow with, or None."""
        if origin(newurl) != origin(req.full_url):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; a port that is none is like no other."""
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return parts.scheme, parts.netloc, None
