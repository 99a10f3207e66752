"""Ports of the loopback that nobody else on this machine is about to take."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_FIRST = 12_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_promised: dict[int, socket.socket] = {}


def free_port() -> int:
    """A loopback port that is free, and promised to this process until it ends.

    A port that the kernel chose may be chosen again before anybody listens there: by another lab that asks in the
    same moment, or as the source of somebody's connection. So it is one below the ephemeral range, and a socket of
    the abstract namespace, which is as wide as the ports' own and ends with the process, says that it is taken.
    """
    try:
        last = int(_EPHEMERAL.read_text().split()[0])
    except OSError:
        last = 0
    for port in _from_somewhere_on(range(_FIRST, last)):
        if _promise(port):
            if _nobody_listens(port):
                return port
            _promised.pop(port).close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _from_somewhere_on(ports: range) -> list[int]:
    """Each of them once; where it begins differs from process to process, so that few are tried in vain."""
    if not ports:
        return []
    begin = (os.getpid() * 251 + len(_promised)) % len(ports)
    return [*ports[begin:], *ports[:begin]]


def _promise(port: int) -> bool:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0chaosday-port-{port}")
    except OSError:
        holder.close()
        return False
    _promised[port] = holder
    return True


def _nobody_listens(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
