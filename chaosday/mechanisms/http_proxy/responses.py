"""From the service to the client: answers in the order of their requests, hurt where a rule says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chaosday.mechanisms.http_proxy.answers import render
from chaosday.mechanisms.http_proxy.hurting import HURTS_ANSWERS, hurt
from chaosday.mechanisms.http_proxy.link import Closing, Due, Link, body_passed, passed_on
from chaosday.mechanisms.http_proxy.message import Body, Counted, Head, HeadReader, UntilClose, response_body
from chaosday.mechanisms.http_proxy.wire import Lost, Wire


class Responses:
    """The other direction of a link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._client = link.client

    async def run(self) -> None:
        """Pass on answers until the service ends, and its end."""
        link = self._link
        while True:
            if link.due:
                if not await self._answer(link.due[0]):
                    return
                link.due.popleft().settled.set()
                continue
            upstream = link.upstream
            if upstream is None:
                await link.news.wait()
                link.news.clear()
                continue
            await upstream.readable()
            if not link.due and link.upstream is upstream and not await self._unasked(upstream):
                return

    async def _unasked(self, upstream: Wire) -> bool:
        """Bytes or an end that answer nothing, if there are any; False after the end."""
        link = self._link
        try:
            piece = upstream.at_once()
        except Lost:
            if not link.holding:
                raise
            piece = memoryview(b"")
        if piece is None:
            return True
        if link.holding:
            # It did not want to wait for what a rule keeps back; it is connected to anew when that goes on.
            link.drop_upstream()
            return True
        if not piece:
            return await self._end(upstream)
        link.raw = True
        await self._client.send(piece)
        return await self._until_the_end(upstream)

    async def _answer(self, due: Due) -> bool:
        """One answer; False where the service has ended."""
        if due.own is not None:
            head, data = due.own
            if head is None or due.active is None:
                await self._client.send((head.raw if head is not None else b"") + data)
            else:
                await self._hurt(due, head, Counted(len(data)), _given(data))
            return True
        upstream = await self._link.connected()
        rule = due.active.rule if due.active is not None else None
        if rule is not None and not rule.upload and rule.effect in HURTS_ANSWERS:
            return await self._judged(due, upstream)
        return await self._passed(due, upstream)

    async def _passed(self, due: Due, upstream: Wire) -> bool:
        """An answer as it comes, with what is said before it (1xx)."""
        while True:
            reader, body = HeadReader(request=False), None
            while not reader.done:
                piece = await upstream.some()
                if not piece:
                    return await self._end(upstream)
                used = reader.take(piece)
                if reader.head is not None:
                    body = response_body(reader.head, due.method)
                    used += body.take(piece[used:])
                    upstream.give_back(piece[used:])
                await self._client.send(piece[:used])
            if body is None or isinstance(body, UntilClose):
                return await self._other(due, upstream)
            if not await body_passed(upstream, self._client, body):
                return await self._end(upstream)
            if reader.head is not None and reader.head.status >= 200:
                return True

    async def _judged(self, due: Due, upstream: Wire) -> bool:
        """An answer that a rule hurts: nothing of it goes on before its head is whole."""
        while True:
            reader, kept, used = HeadReader(request=False), b"", 0
            while not reader.done:
                piece = await upstream.some()
                if not piece:
                    await self._client.send(kept)
                    return await self._end(upstream)
                used = reader.take(piece)
                kept += bytes(piece[:used])
            upstream.give_back(piece[used:])
            head = reader.head
            if head is None or head.status == 101:
                await self._client.send(kept)
                return await self._other(due, upstream)
            if head.status >= 200:
                break
            await self._client.send(kept)
        body = response_body(head, due.method)
        await self._hurt(due, head, body, _data(upstream, body))
        return True

    async def _hurt(self, due: Due, head: Head, body: Body, pieces: AsyncIterator[bytes]) -> None:
        active, asked, link = due.active, due.asked, self._link
        assert active is not None and asked is not None
        rule = active.rule
        if rule.effect == "answer":
            async for _ in pieces:
                pass
            answer = render(asked, rule.status, rule.code, rule.message, rule.retry_after_s)
            link.drop_upstream()
            await self._client.send(answer)
            return
        await hurt(self._client, active, asked, head, body, pieces)
        if rule.effect == "truncate" and due.own is None:
            link.drop_upstream()
        if isinstance(body, UntilClose) or not head.keeps_alive():
            raise Closing

    async def _other(self, due: Due, upstream: Wire) -> bool:
        """What follows is no HTTP/1.1 that anybody could follow, or ends with the connection."""
        self._link.raw = True
        due.settled.set()
        return await self._until_the_end(upstream)

    async def _until_the_end(self, upstream: Wire) -> bool:
        await passed_on(upstream, self._client)
        return await self._end(upstream)

    async def _end(self, upstream: Wire) -> bool:
        """Pass on the service's end, always False."""
        if upstream.broken:
            raise Lost(upstream)
        await self._client.end()
        return False


async def _given(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _data(wire: Wire, body: Body) -> AsyncIterator[bytes]:
    """The data of a body, without its framing; a body that ends too soon is a broken connection."""
    while not body.done:
        piece = await wire.some()
        if not piece:
            if isinstance(body, UntilClose):
                return
            raise Lost(wire)
        found: list[bytes] = []
        used = body.take(piece, found)
        wire.give_back(piece[used:])
        for each in found:
            yield each
