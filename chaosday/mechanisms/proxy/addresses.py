"""Addresses as people write them."""

from __future__ import annotations

from chaosday.errors import UsageError


def address(text: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` as a pair; ``UsageError`` in words.

    ``:port`` is this machine only: whoever means every interface says so (``0.0.0.0:port``, ``[::]:port``).
    """
    if "@" in text:
        raise UsageError("an address has no login in it: give host:port")
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f"{text!r} is not an address: give host:port")
    bare = host.removeprefix("[").removesuffix("]")
    if (":" in bare) != (host.startswith("[") and host.endswith("]")):
        raise UsageError(f"{text!r} is not an address: give host:port, and [host]:port for IPv6")
    try:
        return checked(bare or "127.0.0.1"), int(port)
    except ValueError as error:
        raise UsageError(f"{text!r} is not an address: {error}") from None


def checked(host: str) -> str:
    """A host that can be looked up at all; ``ValueError`` in words for one with an empty or too long label."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is no host name: {error.__cause__ or error}") from None
    return host


def joined(host: str, port: int) -> str:
    """The pair as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
