"""What rules do to the body of an answer, piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chaosday.mechanisms.http_proxy.link import Reset
from chaosday.mechanisms.http_proxy.message import Body, Chunked, Head, UntilClose
from chaosday.mechanisms.http_proxy.recognise import Asked
from chaosday.mechanisms.http_proxy.routes import Active
from chaosday.mechanisms.http_proxy.wire import Wire

HURTS_ANSWERS = ("answer", "reset", "truncate", "alter", "slow", "repeat")
_SETTLE_S = 0.02


async def hurt(
    client: Wire, active: Active, asked: Asked, head: Head, body: Body, pieces: AsyncIterator[bytes]
) -> None:
    """Send an answer as the rule makes it; the data comes in ``pieces`` and is framed as ``head`` says."""
    rule = active.rule
    length = None if body.done or isinstance(body, (Chunked, UntilClose)) else head.length()
    if rule.effect == "repeat":
        await _remembered(client, active, asked, head, body, pieces)
        return
    if rule.effect == "truncate":
        # Of a body whose length nobody announced, the first piece stands for the whole.
        keep = int((length or 0) * rule.keep_share)
        if length is not None:
            head = head.with_length(keep)
        pieces = _first(pieces, keep) if length is not None else _share(pieces, rule.keep_share)
    elif rule.effect == "alter":
        pieces = _flipped(pieces, active, length)
    elif rule.effect == "slow":
        pieces = _trickled(pieces, active)
    elif rule.effect == "reset":
        pieces = _cut(pieces, rule.after_bytes)
    await client.send(head.raw)
    async for piece in pieces:
        await client.send(_framed(piece, body))
    await client.send(_tail(body))


async def _remembered(
    client: Wire, active: Active, asked: Asked, head: Head, body: Body, pieces: AsyncIterator[bytes]
) -> None:
    whole = head.raw + b"".join([_framed(piece, body) async for piece in pieces]) + _tail(body)
    if head.status < 300:
        active.remember(f"{asked.path}?{asked.query}", whole)
    await client.send(whole)


def _framed(piece: bytes, body: Body) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if isinstance(body, Chunked) else piece


def _tail(body: Body) -> bytes:
    """The last chunk with its trailers, as they came, or as none came."""
    return (body.tail or b"0\r\n\r\n") if isinstance(body, Chunked) else b""


async def _first(pieces: AsyncIterator[bytes], keep: int) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if keep <= 0:
            return
        yield piece[:keep]
        keep -= len(piece)


async def _share(pieces: AsyncIterator[bytes], share: float) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if kept := piece[: int(len(piece) * share)]:
            yield kept
        return


async def _flipped(pieces: AsyncIterator[bytes], active: Active, length: int | None) -> AsyncIterator[bytes]:
    left = active.dice.randrange(length) if length else 0
    bit = 1 << active.dice.randrange(8)
    done = False
    async for piece in pieces:
        if not done and left < len(piece):
            changed = bytearray(piece)
            changed[left] ^= bit
            done = True
            yield bytes(changed)
            continue
        left -= len(piece)
        yield piece


async def _trickled(pieces: AsyncIterator[bytes], active: Active) -> AsyncIterator[bytes]:
    step = max(1, int(active.rule.bytes_per_s / 20))
    async for piece in pieces:
        for start in range(0, len(piece), step):
            if active.ended.is_set():
                yield piece[start:]
                break
            await active.wait(len(piece[start : start + step]) / active.rule.bytes_per_s)
            yield piece[start : start + step]


async def _cut(pieces: AsyncIterator[bytes], after: int) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if len(piece) >= after:
            yield piece[:after]
            # What was sent has to be on its way before the reset discards what was not.
            await asyncio.sleep(_SETTLE_S)
            break
        after -= len(piece)
        yield piece
    raise Reset
