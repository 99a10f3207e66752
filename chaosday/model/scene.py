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
        """From sshd's SSH_CONNECTION; None where it is empty, as on this machine itself; ``MalformedInput``."""
        words = ssh_connection.split()
        if not words:
            return None
        peer, port = (words[0].partition("%")[0], words[3]) if len(words) == 4 else ("", "")
        try:
            ipaddress.ip_address(peer)
        except ValueError:
            peer = ""
        if not peer or not port.isdigit():
            # Without it the rules would cut the connection by which we hold the target; with it they would be its text.
            said = f"the target's SSH_CONNECTION is {ssh_connection.strip()[:80]!r}, which is none"
            raise MalformedInput(
                f"{said}; let its login keep what sshd sets, or our own connection could not be spared"
            )
        return cls(peer, int(port))


@dataclass(frozen=True)
class Device:
    """A network interface: an index for as long as it is there, a name that anybody may change, its link address."""

    index: int
    name: str
    link: str = ""
    passes: int = 1
    """How many times a round trip to the peers leaves by it: twice where request and answer both do, as on lo."""


@dataclass(frozen=True)
class Scene:
    """Where packets are hurt: whose lease, which connection is spared, on which interfaces."""

    lease_id: str
    control: Control | None
    devices: tuple[Device, ...]
    seed: int = 0

    @property
    def passes(self) -> int:
        """How many times a round trip is hurt where interfaces are not told apart."""
        return min(device.passes for device in self.devices)

    @property
    def names(self) -> str:
        """The interfaces in words."""
        return ", ".join(device.name for device in self.devices)
