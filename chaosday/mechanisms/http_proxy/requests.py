"""From the client to the service: where requests begin, which of them a rule hurts, and their bytes as they came."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from chaosday.mechanisms.http_proxy.answers import gone, render
from chaosday.mechanisms.http_proxy.canary import CANARY, canned
from chaosday.mechanisms.http_proxy.link import Closing, Due, Link, Reset, Unreachable, body_passed, passed_on
from chaosday.mechanisms.http_proxy.message import Body, Head, HeadReader, UntilClose, request_body
from chaosday.mechanisms.http_proxy.recognise import Asked, has_form, origin_form, recognise
from chaosday.mechanisms.http_proxy.routes import Active
from chaosday.mechanisms.http_proxy.wire import Wire

FORM_BYTES = 1 << 20
_SILENT_S = 0.2
"""How long a client may be silent, under a lease, until the service is connected to all the same."""
_SETTLE_S = 0.02
# So much of a request may go on before its head is whole: the target of one in absolute form is not the service's.
_AS_IT_COMES = re.compile(rb"[\r\n]*[!-~]*(\Z| (\Z|[^hH]))")
_H2_PREFACE = b"PRI * HTTP/2.0"


class Requests:
    """One direction of a link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._client = link.client

    async def run(self) -> None:
        """Pass on requests until the client ends, and its end."""
        link = self._link
        await self._begin()
        while not link.raw and await self._request():
            pass
        if link.raw:
            await passed_on(self._client, await link.connected())
        if link.upstream is None and link.route.armed:
            raise Closing  # no request of this client went as far as the service
        await (await link.connected()).end()

    async def _begin(self) -> None:
        if self._link.route.armed and self._link.upstream is None:
            # A request that a rule keeps from the service must not cost it a connection.
            speaks = asyncio.ensure_future(self._client.readable())
            await asyncio.wait((speaks,), timeout=_SILENT_S)
            if speaks.done():
                return
            speaks.cancel()
        self._link.connect()

    async def _request(self) -> bool:
        """Take one request; False at the client's end."""
        link, reader, kept, sent = self._link, HeadReader(request=True), b"", 0
        while True:
            piece = await self._client.some()
            if not piece or link.raw:
                last = bytes(piece)
                await self._as_it_is(kept + last)
                return bool(last)
            used = reader.take(piece)
            if reader.done:
                break
            kept += bytes(piece)
            if not link.route.armed and _AS_IT_COMES.match(kept):
                with suppress(Unreachable):
                    await (await link.connected()).send(kept)
                    sent, kept = sent + len(kept), b""
        if reader.head is None:
            await self._strange(reader, kept + bytes(piece), sent)
            return True
        link.route.requests += 1
        return await self._taken(reader.head, kept, piece, used, sent)

    async def _taken(self, head: Head, kept: bytes, piece: memoryview, used: int, sent: int) -> bool:
        """A whole head is there: ``used`` bytes of ``piece`` are its end, ``sent`` bytes of it went on before."""
        route = self._link.route
        is_canary = not sent and CANARY in head.headers and route.tickets.take(head.headers[CANARY])
        route.canaries += is_canary
        if is_canary or (route.armed and not sent):
            out = kept + bytes(piece[:used])
            self._client.give_back(piece[used:])
            return await self._judged(head, out, is_canary)
        body = request_body(head)
        used += body.take(piece[used:])
        out = kept + bytes(piece[:used])
        self._client.give_back(piece[used:])
        return await self._passed(head, out, body, Due(head.start[0]), sent)

    async def _as_it_is(self, data: bytes) -> None:
        if data:
            await (await self._link.connected()).send(data)

    async def _strange(self, reader: HeadReader, data: bytes, sent: int) -> None:
        """What is no request is passed on, unless a service might take it for one that no rule has seen."""
        words = reader.line.decode("latin-1").split(" ", 2)
        if self._link.route.armed and not sent and reader.line != _H2_PREFACE and len(words) > 1:
            await self._refuse(Asked(words[0], words[1]), "a line that is none of HTTP/1")
        self._link.raw = True
        await self._as_it_is(data)

    async def _passed(self, head: Head, out: bytes, body: Body, due: Due, sent: int = 0) -> bool:
        """Pass on a request as it came, ``out`` of which is here and ``sent`` bytes gone; False at the client's end."""
        try:
            upstream = await self._link.connected()
        except Unreachable as error:
            await self._answered(Due(due.method, own=(None, gone(due.method, str(error))), closes=True))
            return False
        self._link.expect(due)
        await upstream.send(_onward(head, out, sent))
        if due.active is not None and due.active.rule.upload:
            await self._cut(body, upstream, due.active.rule.after_bytes)
        whole = await body_passed(self._client, upstream, body)
        if head.switches():
            await self._switched(due)
        return whole

    async def _cut(self, body: Body, upstream: Wire, after: int) -> None:
        while not body.done and after > 0 and (piece := await self._client.some()):
            used = body.take(piece)
            self._client.give_back(piece[used:])
            await upstream.send(piece[: min(used, after)])
            after -= used
        # What was sent has to be on its way before the reset discards what was not.
        await asyncio.sleep(_SETTLE_S)
        raise Reset

    async def _switched(self, due: Due) -> None:
        """After a request that may change the protocol: wait for the answer, or for bytes that are no request."""
        waiting = [asyncio.ensure_future(due.settled.wait()), asyncio.ensure_future(self._client.readable())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        self._link.raw = self._link.raw or not due.settled.is_set()

    async def _judged(self, head: Head, out: bytes, is_canary: bool) -> bool:
        """A request under a lease, or a canary: what the rules make of it."""
        if why := head.unclear():
            await self._refuse(Asked(*head.start[:2]), why)
        body, form = request_body(head), b""
        if has_form(head) and not head.waits_for_100():
            raw, form = await self._form(body)
            out += raw
        asked = recognise(head, form)
        active = self._link.route.pick(asked, is_canary)
        due = Due(asked.method, asked, active)
        if active is not None:
            await self._before(active)
            rule = active.rule
            if rule.effect == "answer" and (is_canary or not rule.after):
                answer = render(asked, rule.status, rule.code, rule.message, rule.retry_after_s)
                return await self._own(head, body, Due(asked.method, own=(None, answer)))
            if rule.effect == "repeat" and (known := active.remembered.get(f"{asked.path}?{asked.query}")):
                return await self._own(head, body, Due(asked.method, own=(None, known)))
        if is_canary:
            due.own = canned(asked)
            return await self._own(head, body, due)
        return await self._passed(head, out, body, due)

    async def _form(self, body: Body) -> tuple[bytes, bytes]:
        """As much of a form as shows what it asks for: its bytes as they came, and its data."""
        raw, data = b"", [b""]
        self._link.holding = True
        while not body.done and len(raw) < FORM_BYTES and (piece := await self._client.some()):
            used = body.take(piece, data)
            raw += bytes(piece[:used])
            self._client.give_back(piece[used:])
        self._link.holding = False
        return raw, b"".join(data)

    async def _before(self, active: Active) -> None:
        """What a rule does to a request before it goes on."""
        rule, link = active.rule, self._link
        link.holding = True
        at_once = rule.effect == "reset" and rule.after_bytes == 0
        if (at_once or rule.effect == "hang") and link.due:
            await link.due[-1].settled.wait()  # the answers to earlier ones go out first
        if rule.effect == "delay":
            await active.wait(max(0.0, rule.delay_s + active.dice.uniform(-rule.jitter_s, rule.jitter_s)))
        elif rule.effect == "hang":
            await active.ended.wait()
            raise Reset
        elif at_once:
            raise Reset
        link.holding = False

    async def _own(self, head: Head, body: Body, due: Due) -> bool:
        """Take the rest of a request that is not passed on, and answer it ourselves; False at the client's end."""
        # A client that waits for 100 may send its body anyway, and behind a body without an end is no next request.
        unread = head.waits_for_100() or isinstance(body, UntilClose)
        due.closes = unread or not head.keeps_alive()
        cut = due.active.rule.after_bytes if due.active is not None and due.active.rule.upload else None
        taken = 0
        while not body.done and not unread and (cut is None or taken < cut):
            piece = await self._client.some()
            if not piece:
                return False
            used = body.take(piece)
            self._client.give_back(piece[used:])
            taken += used
        if cut is not None:
            raise Reset
        await self._answered(due)
        return True

    async def _refuse(self, asked: Asked, why: str) -> None:
        answer = render(asked, 400, "", f"chaosday: this request has {why}")
        await self._answered(Due(asked.method, own=(None, answer), closes=True))

    async def _answered(self, due: Due) -> None:
        """Have an answer of ours sent in its turn; ``Closing`` where it was the last one."""
        self._link.expect(due)
        if due.closes:
            await due.settled.wait()
            raise Closing


def _onward(head: Head, out: bytes, sent: int) -> bytes:
    """In absolute form the client takes us for its proxy; the signature covers the service's own host name."""
    if not head.start[1].lower().startswith("http://"):
        return out
    return head.with_target(origin_form(head.start[1])).raw[sent:] + out[len(head.raw) - sent :]
