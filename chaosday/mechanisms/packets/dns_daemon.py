"""Answers the name lookups of a host wrongly, late or not at all. Runs on the target, by itself.

This file is put on the target as it stands and run by its python3 (3.7 or later) with nothing but the
standard library. Its only argument is a JSON object: ``port`` to listen on, ``upstream`` server, ``mark``
for its own packets, ``name`` (suffix that is hurt, empty for all), ``mode``, ``answer``, ``delay_ms``.
Names that are not meant are passed on. Messages are those of RFC 1035, section 4.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from typing import Any

SO_MARK = 36
SERVFAIL, NXDOMAIN = 2, 3


def question(message: bytes) -> tuple[str, int, int]:
    """Name and type of the first question, and where it ends."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii", "replace"))
        at += 1 + message[at]
    return ".".join(labels).lower(), struct.unpack_from("!H", message, at + 1)[0], at + 5


def reply(message: bytes, end: int, code: int, address: str = "") -> bytes:
    """An answer to ``message``: an error code, or one A record with a second to live."""
    head = message[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, 1 if address else 0, 0, 0)
    record = struct.pack("!HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(address) if address else b""
    return head + message[12:end] + record


class Resolver:
    """One lookup at a time in a thread of its own, so that a slow one holds up no other."""

    def __init__(self, wish: dict[str, Any]) -> None:
        self.wish = wish
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Where a redirect of local packets leads to; bound to every address it would answer from another one.
        self.listener.bind(("127.0.0.1", wish["port"]))

    def forward(self, message: bytes) -> bytes:
        """The answer of the real server; nothing if it gives none."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setsockopt(socket.SOL_SOCKET, SO_MARK, self.wish["mark"])
            asking.settimeout(5)
            try:
                asking.sendto(message, (self.wish["upstream"], 53))
                return asking.recv(65535)
            except OSError:
                return b""

    def answer(self, message: bytes) -> bytes:
        """What this host is told."""
        try:
            name, kind, end = question(message)
        except (IndexError, struct.error):
            return b""
        suffix = self.wish["name"].lower().strip(".")
        if suffix and name != suffix and not name.endswith("." + suffix):
            return self.forward(message)
        mode = self.wish["mode"]
        if mode == "slow":
            time.sleep(self.wish["delay_ms"] / 1000)
            return self.forward(message)
        if mode == "wrong_answer":
            return reply(message, end, 0, self.wish["answer"] if kind == 1 else "")
        return reply(message, end, NXDOMAIN if mode == "nxdomain" else SERVFAIL)

    def one(self, message: bytes, client: tuple[str, int]) -> None:
        """Answer one client."""
        found = self.answer(message)
        if found:
            self.listener.sendto(found, client)

    def serve(self) -> None:
        """Until killed."""
        while True:
            message, client = self.listener.recvfrom(65535)
            threading.Thread(target=self.one, args=(message, client), daemon=True).start()


if __name__ == "__main__":
    Resolver(json.loads(sys.argv[1])).serve()
