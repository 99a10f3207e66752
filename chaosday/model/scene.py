"""Where packets are hurt, and the one connection that never is: ours to the target."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from chaosday.errors import MalformedInput


@dataclass(frozen=True)
class Control:
    """The connection by which we hold the target: our address as the target sees it, and its port."""

    peer: str
    port: int

    @classmethod
    def parse(cls, ssh_connection: str) -> Control | None:
        """From sshd's SSH_CONNECTION; None where there is none, as on this machine itself."""
        words = ssh_connection.split()
        if len(words) != 4:
            return None
        peer, port = words[0].partition("%")[0], words[3]
        try:
            ipaddress.ip_address(peer)
        except ValueError:
            peer = ""
        if not peer or not port.isdigit():
            # Without it the rules would cut the connection by which we hold the target; with it they would be its text.
            raise MalformedInput(f"the target's SSH_CONNECTION is {ssh_connection.strip()[:80]!r}, which is none")
        return cls(peer, int(port))


@dataclass(frozen=True)
class Scene:
    """Where packets are hurt: whose lease, which connection is spared, on which interface."""

    lease_id: str
    control: Control | None
    device: str
    seed: int = 0
