"""One client connection: read a request, hurt it or not, pass it on, pass the answer back."""

from __future__ import annotations

import itertools
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from chaosday.mechanisms.http_proxy.answers import render
from chaosday.mechanisms.http_proxy.canary import CANARY, canned
from chaosday.mechanisms.http_proxy.message import BODILESS, Broken, Head, Stream, request_body, response_body
from chaosday.mechanisms.http_proxy.recognise import Asked, has_form, recognise
from chaosday.mechanisms.http_proxy.routes import Active, Route

CONNECT_TIMEOUT_S = 10
FORM_BYTES = 1 << 20
_ON_RESPONSE = ("reset", "truncate", "alter", "slow")


class Reset(Exception):
    """The client's connection is to end in a reset."""


class Relay:
    """Serves one client connection until either side closes."""

    def __init__(self, route: Route, wire: socket.socket) -> None:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._route = route
        self._client = Stream(wire)
        self._upstream: Stream | None = None

    def serve(self) -> None:
        """Take requests until the connection ends; errors of either side end it, as they would without us."""
        wire = self._client.wire
        try:
            while self._one():
                pass
        except (Reset, Broken, OSError):
            # A reset, not an orderly close: half a message must never look like a whole one.
            with suppress(OSError):
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            wire.close()
            self._drop_upstream()

    def _one(self) -> bool:
        head = self._client.head()
        if head is not None and (why := head.unclear()):
            self._client.wire.sendall(render(Asked(*head.start[:2]), 400, "", f"chaosday: this request has {why}"))
            head = None
        return head is not None and self._served(head)

    def _served(self, head: Head) -> bool:
        body = request_body(head, self._client)
        form = _beginning(body) if has_form(head) else []
        asked, body = recognise(head, b"".join(form)), itertools.chain(form, body)
        is_canary = self._route.tickets.take(head.headers.get(CANARY, ""))
        active = self._route.pick(asked)
        if active is not None:
            if active.rule.effect == "answer" and not active.rule.after:
                return self._answer(head, asked, active, body)
            self._before(active, asked)
            if active.rule.effect == "repeat" and (kept := active.remembered.get(f"{asked.path}?{asked.query}")):
                self._drain(body)
                self._client.wire.sendall(kept)
                return head.keeps_alive()
        if is_canary:
            self._drain(_cut(body, active.rule.after_bytes) if active is not None and active.rule.upload else body)
            if active is not None and active.rule.effect == "answer":
                return self._answer(head, asked, active, ())
            response, stream = canned(asked)
            return self._respond(head, asked, active, response, stream) and head.keeps_alive()
        return self._forward(head, asked, active, body)

    def _before(self, active: Active, asked: Asked) -> None:
        rule = active.rule
        if rule.effect == "delay":
            active.ended.wait(max(0.0, rule.delay_s + active.dice.uniform(-rule.jitter_s, rule.jitter_s)))
        elif rule.effect == "hang":
            active.ended.wait()
            raise Reset
        elif rule.effect == "reset" and rule.after_bytes == 0:
            raise Reset

    def _answer(self, head: Head, asked: Asked, active: Active, body: Iterable[bytes]) -> bool:
        rule = active.rule
        waiting = head.headers.get("expect", "").lower() == "100-continue"
        if not waiting:
            self._drain(body)
        self._client.wire.sendall(render(asked, rule.status, rule.code, rule.message, rule.retry_after_s))
        # A client that waits for 100 may send its body anyway: the connection is not reusable.
        return head.keeps_alive() and not waiting

    def _forward(self, head: Head, asked: Asked, active: Active | None, body: Iterator[bytes]) -> bool:
        stream = self._connected()
        sent = self._onward(head)
        if active is not None and active.rule.upload:
            body = _cut(body, active.rule.after_bytes)
        stream.wire.sendall(sent.raw)
        whole = self._send_body(sent, body, stream)
        while True:
            response = stream.head()
            if response is None:
                raise Broken("the service closed before it answered")
            if response.status == 101:
                self._client.wire.sendall(response.raw)
                self._tunnel(stream)
                return False
            if response.status >= 200:
                break
            self._client.wire.sendall(response.raw)
        if active is not None and active.rule.effect == "answer":
            self._drain(response_body(response, asked.method, stream))
            rule = active.rule
            self._client.wire.sendall(render(asked, rule.status, rule.code, rule.message, rule.retry_after_s))
            self._drop_upstream()
            return whole and head.keeps_alive()
        alive = self._respond(head, asked, active, response, stream)
        if not (whole and alive and response.keeps_alive()):
            self._drop_upstream()
        return whole and alive and head.keeps_alive() and response.keeps_alive()

    def _send_body(self, head: Head, body: Iterator[bytes], stream: Stream) -> bool:
        """Send the request's body; False if the service answered before it was all sent."""
        client = self._client
        if head.headers.get("expect", "").lower() == "100-continue":
            # Nobody may wait for the other: the client for 100, the service for the body.
            ready, _, _ = select.select([client.wire, stream.wire], [], [])
            if stream.wire in ready and not client.waiting():
                response = stream.head()
                if response is None:
                    raise Broken("the service closed before it answered")
                if response.status != 100:
                    stream.give_back(response.raw)
                    return False
                client.wire.sendall(response.raw)
        for piece in body:
            stream.wire.sendall(_framed(piece, head))
        if head.chunked():
            stream.wire.sendall(b"0\r\n\r\n")
        return True

    def _respond(self, head: Head, asked: Asked, active: Active | None, response: Head, stream: Stream) -> bool:
        """Pass the answer on, hurt or not; False when the client's connection cannot go on after it."""
        pieces = response_body(response, asked.method, stream)
        length = None if asked.method == "HEAD" or response.status in BODILESS else response.length()
        if active is not None and active.rule.effect == "repeat":
            self._remember(asked, active, response, pieces)
            return True
        if active is not None and active.rule.effect in _ON_RESPONSE and not active.rule.upload:
            pieces, hurt_length = _hurt(pieces, active, length)
            response = response.with_length(hurt_length) if hurt_length is not None else response
            if active.rule.effect == "truncate":
                self._client.wire.sendall(response.raw)
                self._pour(pieces, response)
                self._drop_upstream()
                return True
        self._client.wire.sendall(response.raw)
        self._pour(pieces, response)
        return asked.method == "HEAD" or length is not None or response.chunked() or response.status in BODILESS

    def _pour(self, pieces: Iterable[bytes], response: Head) -> None:
        send = self._client.wire.sendall
        for piece in pieces:
            send(_framed(piece, response))
        if response.chunked():
            send(b"0\r\n\r\n")

    def _remember(self, asked: Asked, active: Active, response: Head, pieces: Iterable[bytes]) -> None:
        body = b"".join(_framed(piece, response) for piece in pieces)
        whole = response.raw + body + (b"0\r\n\r\n" if response.chunked() else b"")
        if response.status < 300:
            active.remember(f"{asked.path}?{asked.query}", whole)
        self._client.wire.sendall(whole)

    def _onward(self, head: Head) -> Head:
        target = head.start[1]
        if not target.startswith("http://"):
            return head
        # Absolute form: we are the client's proxy, and its signature covers the service's own host name.
        parts = urlsplit(target)
        return head.with_target(f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")

    def _connected(self) -> Stream:
        if self._upstream is not None:
            idle, _, _ = select.select([self._upstream.wire], [], [], 0)
            if not idle:
                return self._upstream
            # Readable between two requests: the service has closed a connection it kept alive.
            self._drop_upstream()
        upstream = self._route.upstream
        wire = socket.create_connection((upstream.host, upstream.port), timeout=CONNECT_TIMEOUT_S)
        wire.settimeout(None)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if upstream.tls:
            context = ssl.create_default_context(cafile=upstream.authority_file or None)
            wire = context.wrap_socket(wire, server_hostname=upstream.host)
        self._upstream = Stream(wire)
        return self._upstream

    def _drop_upstream(self) -> None:
        stream, self._upstream = self._upstream, None
        if stream is not None:
            stream.wire.close()

    def _drain(self, pieces: Iterable[bytes]) -> None:
        for _ in pieces:
            pass

    def _tunnel(self, stream: Stream) -> None:
        ends = {self._client.wire: (self._client, stream.wire), stream.wire: (stream, self._client.wire)}
        while True:
            held = [wire for wire, (source, _) in ends.items() if source.waiting()]
            ready = held or select.select(list(ends), [], [])[0]
            for wire in ready:
                source, sink = ends[wire]
                piece = source.some(1 << 16)
                if not piece:
                    return
                sink.sendall(piece)


def _beginning(pieces: Iterator[bytes]) -> list[bytes]:
    """The first pieces of a form, enough of them to see what it asks for."""
    taken: list[bytes] = []
    while sum(map(len, taken)) < FORM_BYTES and (piece := next(pieces, b"")):
        taken.append(piece)
    return taken


def _framed(piece: bytes, head: Head) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if head.chunked() else piece


def _hurt(pieces: Iterator[bytes], active: Active, length: int | None) -> tuple[Iterator[bytes], int | None]:
    """The pieces after the rule's effect, and the new length where it changed."""
    rule = active.rule
    if rule.effect == "truncate":
        # Of a body whose length nobody announced, the first piece stands for the whole.
        keep = int((length or 0) * rule.keep_share)
        return (_first(pieces, keep), keep) if length is not None else (_share(pieces, rule.keep_share), None)
    if rule.effect == "alter":
        return _flipped(pieces, active, length), None
    if rule.effect == "slow":
        return _trickled(pieces, active), None
    return (_cut(pieces, rule.after_bytes), None) if rule.effect == "reset" else (pieces, None)


def _first(pieces: Iterator[bytes], keep: int) -> Iterator[bytes]:
    while keep > 0:
        piece = next(pieces, b"")
        if not piece:
            return
        yield piece[:keep]
        keep -= len(piece)


def _share(pieces: Iterator[bytes], share: float) -> Iterator[bytes]:
    for piece in pieces:
        kept = piece[: int(len(piece) * share)]
        if kept:
            yield kept
        return


def _flipped(pieces: Iterator[bytes], active: Active, length: int | None) -> Iterator[bytes]:
    left = active.dice.randrange(length) if length else 0
    bit = 1 << active.dice.randrange(8)
    done = False
    for piece in pieces:
        if not done and left < len(piece):
            changed = bytearray(piece)
            changed[left] ^= bit
            done = True
            yield bytes(changed)
            continue
        left -= len(piece)
        yield piece


def _trickled(pieces: Iterator[bytes], active: Active) -> Iterator[bytes]:
    step = max(1, int(active.rule.bytes_per_s / 20))
    for piece in pieces:
        for start in range(0, len(piece), step):
            if active.ended.is_set():
                yield piece[start:]
                break
            active.ended.wait(len(piece[start : start + step]) / active.rule.bytes_per_s)
            yield piece[start : start + step]


def _cut(pieces: Iterator[bytes], after: int) -> Iterator[bytes]:
    for piece in pieces:
        if len(piece) >= after:
            yield piece[:after]
            # What was sent has to be on its way before the reset discards what was not.
            time.sleep(0.02)
            raise Reset
        after -= len(piece)
        yield piece
    raise Reset
