"""Bodies of HTTP answers that libraries would read for as long, and for as much, as a server likes."""

from __future__ import annotations

from typing import Any

from chaosday.processes.limits.within import LastMoment

LONGEST_BYTES = 256 << 20
PIECE_BYTES = 64 << 10


class TooMuch(OSError):
    """A body took too long as a whole, or is too large."""


def whole_body(answer: Any, limit_s: float, most_bytes: int = LONGEST_BYTES) -> bytes:
    """What is left of an urllib3 answer; ``TooMuch`` beyond a limit, and the connection is closed."""
    limit, got = LastMoment(limit_s, most_bytes), bytearray()
    while piece := answer.read1(PIECE_BYTES):
        got += piece
        if not limit.take(len(piece)) or limit.left_s() < 0:
            answer.close()
            raise TooMuch(f"a body of {len(got)} bytes was not at its end")
    return bytes(got)


class BoundedHttp:
    """Botocore's HTTP session, with bodies read here; those that callers stream are theirs to bound."""

    def __init__(self, inner: Any, limit_s: float) -> None:
        self._inner, self._limit_s = inner, limit_s

    def send(self, request: Any) -> Any:
        """As botocore's own."""
        import urllib3
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

        streams, request.stream_output = request.stream_output, True
        try:
            answer = self._inner.send(request)
            if not streams:
                answer._content = whole_body(answer.raw, self._limit_s)
        except (TooMuch, TimeoutError, urllib3.exceptions.ReadTimeoutError) as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from None
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from None
        finally:
            request.stream_output = streams
        return answer

    def close(self) -> None:
        """As botocore's own."""
        self._inner.close()
