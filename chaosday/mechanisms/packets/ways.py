"""By which interfaces a target reaches its peers: all of them, or a fault leaves a way open."""

from __future__ import annotations

import ipaddress
import re
from shlex import quote

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.mechanisms.hosts.round_trip import Probe
from chaosday.mechanisms.hosts.tools import ask
from chaosday.mechanisms.packets.flow import Flow
from chaosday.model.scene import Device
from chaosday.model.target import Shell
from chaosday.model.words import DEVICE, said

_LINK = re.compile(r"(\d+): ([^:@\s]+)(?:@\S+)?: ")
_ETHER = re.compile(r"link/ether ([0-9a-f:]{17})")
_NOT_GLOBAL = ("fe80:", "ff", "multicast", "unreachable", "blackhole", "prohibit")


def named(index: int) -> str:
    """Shell text for the name that the interface has now; empty where it is gone."""
    return f"$(ip -o link show | sed -n 's/^{index}: \\([^:@]*\\).*/\\1/p')"


def devices_to(shell: Shell, flow: Flow, probe: str, device: str = "") -> tuple[Device, ...]:
    """Every interface with a route to the flow's peers and to ``probe``; with ``device`` given that one alone.

    Peers that are networks are reached by the way to their first address and by all routes inside them; everybody is
    reached by every route but those of link-local addresses. Raises ``CapabilityMissing`` where there is no way.
    """
    host = Probe.parse(probe).host
    asked = {"links": "ip -o link show", "probe": f"ip -o route get {quote(host)}"}
    ways = {}
    if not device:
        ways = {f"peer {peer}": _ways(peer) for peer in flow.peers}
        ways = ways or {"everybody": "ip -o route show; ip -o -6 route show"}
    said_ = ask(shell, asked | ways)
    there = {found[2]: (int(found[1]), line) for line in said_["links"].splitlines() if (found := _LINK.match(line))}
    names = [device] if device else _names(said_["probe"])
    if not names:
        raise CapabilityMissing(f"the target has no route to {host}; set device or probe")
    # In the order of the peers: chains and plans are called by the places of the interfaces.
    for question in ways:
        names += _names(said_[question])
    missing = [name for name in names if name not in there]
    if missing:
        raise UsageError(f"the target has no interface {missing[0]!r}")
    passes = 2 if _answered_to_itself(said_["probe"], flow) else 1
    return tuple(
        Device(there[name][0], name, _ether(there[name][1]), passes if name == "lo" else 1)
        for name in dict.fromkeys(names)
    )


def _ways(peer: str) -> str:
    network = ipaddress.ip_network(peer, strict=False)
    inside = f"; ip -o -{network.version} route show root {network}" if network.num_addresses > 1 else ""
    # A route of several ways tells them all only when it is shown, not when it is asked for one address.
    matching = f"; ip -o -{network.version} route show match {network} | sed -n '/nexthop/p'"
    return f"ip -o route get {network.network_address}{inside}{matching}"


def _names(routes: str) -> list[str]:
    found = []
    for line in routes.splitlines():
        words = line.replace("\\", " ").split()
        if words and not words[0].startswith(_NOT_GLOBAL):
            found += [
                said("network interface", words[n + 1], DEVICE) for n, word in enumerate(words[:-1]) if word == "dev"
            ]
    return found


def _answered_to_itself(route: str, flow: Flow) -> bool:
    """Whether the answer goes to one of the peers as well, being sent to ourselves."""
    words = route.split()
    if "src" not in words[:-1]:
        return False
    own = ipaddress.ip_address(words[words.index("src") + 1])
    peers = [ipaddress.ip_network(peer, strict=False) for peer in flow.peers]
    return not peers or bool(flow.ports) or any(own in peer for peer in peers if peer.version == own.version)


def _ether(link: str) -> str:
    found = _ETHER.search(link)
    return found[1] if found else ""
