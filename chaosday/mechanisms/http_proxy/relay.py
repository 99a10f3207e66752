"""One client connection: two directions at once, and how they end together."""

from __future__ import annotations

import asyncio
import ssl

from chaosday.mechanisms.http_proxy.link import Closing, Link, Unreachable, linger
from chaosday.mechanisms.http_proxy.requests import Requests
from chaosday.mechanisms.http_proxy.responses import Responses
from chaosday.mechanisms.http_proxy.routes import Route
from chaosday.mechanisms.http_proxy.strand import Strand
from chaosday.mechanisms.http_proxy.tls import offered
from chaosday.mechanisms.http_proxy.wire import Lost, Wire

_HANDSHAKE_S = 10
_LINGER_S = 2
_HTTP_1 = "http/1.1"


class Relay:
    """Serves one client connection until both sides have ended."""

    def __init__(self, route: Route, client: Wire) -> None:
        self._route = route
        self._link = Link(route, client)

    async def serve(self) -> None:
        """Pass both ways; a peer that breaks off breaks off the other, as it would without us."""
        link, reset = self._link, True
        strands: list[Strand] = []
        try:
            if self._route.front is not None:
                await self._secure()
            strands = [Strand(Requests(link).run()), Strand(Responses(link).run())]
            reset = await self._ended(*strands)
        except (Lost, ssl.SSLError, TimeoutError):
            pass
        finally:
            for strand in strands:
                strand.cancel()
            link.close(reset=reset)

    async def _ended(self, up: Strand, down: Strand) -> bool:
        """Wait for the end; whether it is a reset."""
        await asyncio.wait((up, down), return_when=asyncio.FIRST_EXCEPTION)
        ended = next(
            (strand for strand in (up, down) if strand.done() and (strand.cancelled() or strand.exception())), up
        )
        if ended.cancelled():
            return True
        error = ended.exception()
        if isinstance(error, Lost) and error.wire is self._link.upstream and not down.done():
            # It takes no more; what it said before it closed is still the client's.
            await asyncio.wait((down,))
        elif isinstance(error, Closing):
            up.cancel()
            await linger(self._link.client, _LINGER_S)
            return False
        return error is not None

    async def _secure(self) -> None:
        """The handshake with the client, in a protocol that the service speaks as well.

        Rules see HTTP/1.1 only: while there are any it is what we agree to. A client that speaks nothing else than
        HTTP/2 is led on unseen.
        """
        link, front = self._link, self._route.front
        assert front is not None
        async with asyncio.timeout(_HANDSHAKE_S):
            wanted = await offered(link.client)
            ours = [_HTTP_1] if _HTTP_1 in wanted else []
            if self._route.upstream.tls and wanted and (not ours or not self._route.armed):
                link.protocols = wanted
                try:
                    await link.connected()
                except Unreachable:
                    link.protocols = ours
                else:
                    ours = [link.agreed] if link.agreed else []
            await link.client.secure(front.context(tuple(ours)), server_side=True)
