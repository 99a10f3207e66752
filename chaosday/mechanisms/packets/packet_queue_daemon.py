"""Delays, loses, doubles, reorders and damages the packets of one NFQUEUE. Runs on the target, by itself.

This file is put on the target as it stands and run by its python3 (3.7 or later); it imports nothing but
the standard library and speaks nfnetlink_queue directly (linux/netfilter/nfnetlink_queue.h). Its only
argument is a JSON object, see ``chaosday.mechanisms.packets.packet_queue.Harm``. When it dies, the rules' "bypass"
lets the traffic flow as if it had never been there.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

NETLINK_NETFILTER, QUEUE_SUBSYSTEM, SO_MARK = 12, 3 << 8, 36
PACKET, VERDICT, CONFIG = (QUEUE_SUBSYSTEM | kind for kind in (0, 1, 2))
CFG_CMD, CFG_PARAMS, CFG_MAXLEN = 1, 2, 3
PACKET_HDR, VERDICT_HDR, PAYLOAD = 1, 2, 10
DROP, ACCEPT = 0, 1


def attribute(kind: int, body: bytes) -> bytes:
    """One netlink attribute, padded to four bytes."""
    return struct.pack("=HH", len(body) + 4, kind) + body + b"\0" * (-len(body) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """Kind -> body of the attributes in ``data``."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return found


class Queue:
    """One bound queue; packets come with an id and wait in the kernel until they get a verdict."""

    def __init__(self, number: int, copy: bool) -> None:
        self.number = number
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((0, 0))
        self._send(CONFIG, attribute(CFG_CMD, struct.pack("!BxH", 1, 0)), acknowledge=True)
        # Without a need for the bytes only their description is copied: twice as many packets a second.
        self._send(
            CONFIG, attribute(CFG_PARAMS, struct.pack("!IB", 0xFFFF if copy else 0, 2 if copy else 1)), acknowledge=True
        )
        self._send(CONFIG, attribute(CFG_MAXLEN, struct.pack("!I", 20000)), acknowledge=True)
        self.socket.setblocking(False)

    def _send(self, kind: int, body: bytes, acknowledge: bool = False) -> None:
        head = struct.pack("=BBH", 0, 0, socket.htons(self.number))
        flags = 1 | (4 if acknowledge else 0)
        self.socket.send(struct.pack("=IHHII", 16 + len(head) + len(body), kind, flags, 0, 0) + head + body)
        if acknowledge:
            error = struct.unpack_from("=i", self.socket.recv(65536), 16)[0]
            if error:
                raise OSError(-error, f"queue {self.number} cannot be bound")

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """(id, bytes) of everything that waits now."""
        while True:
            try:
                data = self.socket.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: the kernel dropped some; the rest still comes
                continue
            at = 0
            while at + 16 <= len(data):
                size, kind = struct.unpack_from("=IH", data, at)
                if kind == PACKET:
                    found = attributes(data[at + 20 : at + size])
                    yield struct.unpack_from("!I", found[PACKET_HDR])[0], found.get(PAYLOAD, b"")
                at += max(16, (size + 3) & ~3)

    def verdict(self, packet: int, verdict: int, payload: bytes = b"") -> None:
        """Let a packet go on, with other bytes if given, or drop it."""
        body = attribute(VERDICT_HDR, struct.pack("!II", verdict, packet))
        self._send(VERDICT, body + (attribute(PAYLOAD, payload) if payload else b""))


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Chance:
    """Everything random, from one seed: correlated delays (a first-order autoregression) and bursts of loss."""

    def __init__(self, harm: dict[str, Any]) -> None:
        self.harm, self.random = harm, random.Random(harm["seed"])
        self.last = self.random.gauss(0, 1)
        self.losing = False

    def happens(self, name: str) -> bool:
        return bool(self.random.random() * 100 < self.harm[name])

    def lost(self) -> bool:
        share, burst = self.harm["loss_percent"] / 100, self.harm["burst_packets"]
        if not share or burst <= 1:
            return bool(self.random.random() < share)
        leave = 1 / burst
        enter = leave * share / (1 - share) if share < 1 else 1
        self.losing = self.random.random() >= leave if self.losing else self.random.random() < enter
        return self.losing

    def delay_s(self) -> float:
        delay, jitter = self.harm["delay_ms"] / 1000, self.harm["jitter_ms"] / 1000
        if not jitter:
            return float(delay)
        rho = self.harm["correlation_percent"] / 100
        self.last = rho * self.last + math.sqrt(1 - rho * rho) * self.random.gauss(0, 1)
        share = 0.5 * (1 + math.erf(self.last / math.sqrt(2)))
        if self.harm["distribution"] == "uniform":
            spread = 2 * share - 1
        elif self.harm["distribution"] == "pareto":
            spread = (1 - min(share, 1 - 1e-9)) ** (-1 / 3) - 1.5  # shape 3: mean 1.5, with a heavy tail
        else:
            spread = self.last
        return float(max(0.0, delay + jitter * spread))


def damaged(packet: bytes, chance: Chance) -> bytes:
    """The packet with one bit of its payload turned, or nothing where it has no payload."""
    data = bytearray(packet)
    if not data or data[0] >> 4 != 4:
        return b""
    header = (data[0] & 15) * 4
    protocol = data[9]
    start = header + {6: (data[header + 12] >> 4) * 4 if len(data) > header + 12 else 20, 17: 8, 1: 8}.get(protocol, 0)
    if len(data) <= start:
        return b""
    data[chance.random.randrange(start, len(data))] ^= 1 << chance.random.randrange(8)
    field = {6: 16, 17: 6, 1: 2}.get(protocol)
    if chance.harm["repair_checksum"] and field is not None:
        data[header + field : header + field + 2] = b"\0\0"
        pseudo = b"" if protocol == 1 else bytes(data[12:20]) + struct.pack("!BBH", 0, protocol, len(data) - header)
        value = checksum(pseudo + bytes(data[header:]))
        data[header + field : header + field + 2] = struct.pack("!H", value or 0xFFFF)
    return bytes(data)


def twin_sender(mark: int) -> Callable[[bytes], int]:
    """Sends a copy with a firewall mark on it, by which the rules leave it alone."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    return lambda packet: raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def serve(harm: dict[str, Any]) -> None:
    """Judge packets until killed."""
    chance = Chance(harm)
    queue = Queue(harm["queue"], harm["duplicate_percent"] > 0 or harm["corrupt_percent"] > 0)
    send_twin = twin_sender(harm["mark"]) if harm["duplicate_percent"] else None
    waiting: list[tuple[float, int, bytes]] = []
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([queue.socket], [], [], pause)[0]:
            for packet, payload in queue.packets():
                if chance.lost():
                    queue.verdict(packet, DROP)
                    continue
                changed = damaged(payload, chance) if chance.happens("corrupt_percent") else b""
                if send_twin and payload and chance.happens("duplicate_percent"):
                    send_twin(payload)
                late = 0.0 if chance.happens("reorder_percent") else chance.delay_s()
                if late:
                    heapq.heappush(waiting, (time.monotonic() + late, packet, changed))
                else:
                    queue.verdict(packet, ACCEPT, changed)
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, packet, changed = heapq.heappop(waiting)
            queue.verdict(packet, ACCEPT, changed)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
