"""TLS before and behind the proxy: its certificate, whom it trusts, and what a client offers in its first bytes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from chaosday.mechanisms.http_proxy.wire import Lost, Wire

_HELLO_BYTES = 16 << 10
_ALPN = 16


@dataclass(frozen=True)
class Front:
    """The certificate that clients of a route are shown, and its key, as files."""

    certificate_file: str
    key_file: str
    _contexts: dict[tuple[str, ...], ssl.SSLContext] = field(default_factory=dict, repr=False, compare=False)

    def context(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
        """A context that agrees to ``protocols`` (ALPN)."""
        if protocols not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate_file, self.key_file)
            if protocols:
                context.set_alpn_protocols(protocols)
            self._contexts[protocols] = context
        return self._contexts[protocols]


async def offered(client: Wire) -> list[str]:
    """The protocols that a client offers in its hello, which is left unread; none where it offers none.

    ``Lost`` where the client ends before it has said its hello.
    """
    seen = b""
    while (found := protocols(seen)) is None:
        before, seen = seen, await client.peek(_HELLO_BYTES, beyond=len(seen))
        if len(seen) <= len(before):
            raise Lost(client)
    return found


def protocols(hello: bytes) -> list[str] | None:
    """The ALPN names in a ClientHello (RFC 8446, 4.1.2; RFC 7301); None while it is not whole."""
    if hello and hello[0] != 22:
        return []
    if len(hello) < 5 or len(hello) < 5 + int.from_bytes(hello[3:5], "big"):
        return None if len(hello) < _HELLO_BYTES else []
    body = hello[9 : 5 + int.from_bytes(hello[3:5], "big")]
    at = 2 + 32
    for size in (1, 2, 1):  # session, ciphers, compressions
        at += size + int.from_bytes(body[at : at + size], "big")
    at += 2
    while at + 4 <= len(body):
        kind, length = int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")
        if kind == _ALPN:
            return _names(body[at + 6 : at + 4 + length])
        at += 4 + length
    return []


def _names(listed: bytes) -> list[str]:
    found, at = [], 0
    while at < len(listed):
        name = listed[at + 1 : at + 1 + listed[at]]
        if name.isascii():  # others (RFC 8701 has clients offer some) are nothing that Python could offer
            found.append(name.decode())
        at += 1 + listed[at]
    return found
