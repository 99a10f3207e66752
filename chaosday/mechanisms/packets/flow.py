"""Which packets a network fault hurts, as nftables rules, and which it never does: the control connection."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chaosday.errors import UsageError
from chaosday.model.scene import Control

Direction = Literal["both", "in", "out"]
Way = Literal["in", "out"]
Protocol = Literal["any", "tcp", "udp", "icmp"]


@dataclass(frozen=True)
class Flow:
    """Packets to and from ``peers`` (addresses or networks; all of them where empty) on ``ports`` of either side."""

    peers: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    protocol: Protocol = "any"

    def matches(self, way: Way) -> list[str]:
        """nft match expressions for one way; a packet fits at most one of them, so that odds are drawn once."""
        side = "saddr" if way == "in" else "daddr"
        peers = []
        for family, version in (("ip", 4), ("ip6", 6)):
            listed = [peer for peer in self.peers if ipaddress.ip_network(peer, strict=False).version == version]
            if listed:
                peers.append(f"{family} {side} {{ {', '.join(listed)} }}")
        return [" ".join(filter(None, (peer, rest))) for peer in (peers or [""]) for rest in self._transport()]

    def _transport(self) -> list[str]:
        if self.protocol == "icmp":
            return ["meta l4proto { icmp, ipv6-icmp }"]
        if not self.ports:
            return ["" if self.protocol == "any" else f"meta l4proto {self.protocol}"]
        kinds = "{ tcp, udp }" if self.protocol == "any" else self.protocol
        ports = f"{{ {', '.join(map(str, self.ports))} }}"
        return [f"meta l4proto {kinds} th dport {ports}", f"meta l4proto {kinds} th dport != {ports} th sport {ports}"]

    def loopback(self) -> bool:
        """Whether it names this host itself; a flow of "everybody" does not."""
        return any(ipaddress.ip_network(peer, strict=False).is_loopback for peer in self.peers)


def checked(peers: Sequence[str], ports: Sequence[int], protocol: Protocol) -> Flow:
    """A flow of things that are addresses and ports; ``UsageError`` names the one that is not."""
    for peer in peers:
        try:
            ipaddress.ip_network(peer, strict=False)
        except ValueError:
            raise UsageError(f"peer {peer!r} is not an address or a network; names are not resolved here") from None
    for port in ports:
        if not 0 < port < 65_536:
            raise UsageError(f"port {port} is not between 1 and 65535")
    if ports and protocol == "icmp":
        raise UsageError("icmp has no ports; leave ports empty or choose tcp or udp")
    return Flow(tuple(peers), tuple(ports), protocol)


def spare(control: Control | None, way: Way) -> list[str]:
    """nft rules that come first and let the control connection through, whatever is hurt after them.

    By address and port of the target, not by the one connection that is open now: after a lost
    connection we must be able to come back and heal.
    """
    if control is None:
        return []
    family = "ip6" if ":" in control.peer else "ip"
    if way == "in":
        return [f"{family} saddr {control.peer} tcp dport {control.port} accept"]
    return [f"{family} daddr {control.peer} tcp sport {control.port} accept"]


def table(family: str, name: str, chains: Sequence[str]) -> str:
    """A whole nft table; its name is the mark, so that deleting it ends everything in it and nothing else."""
    return f"table {family} {name} {{\n" + "\n".join(chains) + "\n}\n"


def chain(name: str, hook: str, rules: Sequence[str]) -> str:
    """A base chain that lets pass what no rule of it stops."""
    body = "\n".join(f"  {rule}" for rule in rules)
    return f" chain {name} {{\n  type filter {hook}; policy accept;\n{body}\n }}"
