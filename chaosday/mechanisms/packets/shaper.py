"""Packets on their way out, slowed by the kernel's own queues: htb, with netem below it where there is netem.

One htb at the root of the interface, known by its handle, which is made from the lease's id. What no
filter picks out goes past it at full speed (``default 0``), and so does the control connection.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Callable
from shlex import quote

from chaosday.errors import CapabilityMissing, ForeignState
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.tools import ask
from chaosday.mechanisms.packets.flow import Flow
from chaosday.model.scene import Scene
from chaosday.model.target import Shell


def handle(lease_id: str) -> str:
    """The qdisc handle that is this lease's mark: a major number from 0x8001 to 0xfffe, which no default has."""
    return f"{0x8001 + zlib.crc32(lease_id.encode()) % 0x7FFD:x}"


def has_netem(shell: Shell) -> bool:
    """Whether this kernel has netem, tried in a network namespace that is gone again at once."""
    answer = ask(shell, {"netem": "unshare --net tc qdisc add dev lo root netem delay 1ms && echo yes"})
    return answer["netem"] == "yes"


def build(shell: Shell, flow: Flow, scene: Scene, rate_mbit: float, netem: str | Callable[[int], str] = "") -> Means:
    """Shape what matches on its way out to ``rate_mbit``, or hand it to netem with these arguments, or with those
    for an interface which a round trip passes so many times.

    Raises ``ForeignState`` where the interface has a root queue that somebody configured, and
    ``CapabilityMissing`` where the kernel has no htb.
    """
    mine, words = handle(scene.lease_id), "netem" if netem else "htb"
    _refuse_foreign(shell, scene, mine)
    lines = [
        line
        for device in scene.devices
        for line in _lines(
            flow, scene, mine, rate_mbit, netem(device.passes) if callable(netem) else netem, quote(device.name)
        )
    ]
    first = quote(scene.devices[0].name)
    rehearsal = "\n".join(
        [
            "ip link add cd0 type dummy 2>/dev/null || ip link add cd0 type veth peer name cd1 || exit 1",
            "ip link set cd0 up",
        ]
        + [line.replace(f"dev {first} ", "dev cd0 ") for line in lines if f"dev {first} " in line]
    )
    tried = shell.run(
        f"PATH=$PATH:/usr/sbin:/sbin; unshare --net sh -c {quote(f'set -e; {rehearsal}')}", sudo=True, timeout_s=30
    )
    if tried.code:
        said = (tried.err.strip() or "tc said nothing").splitlines()[0]
        raise CapabilityMissing(f"this kernel's tc cannot do it: {said[:200]}")
    # By the handle: an interface may have got another name since.
    present = f"tc qdisc show | sed -n 's/^qdisc htb {mine}: dev \\([^ ]*\\) root.*/\\1/p'"
    return Means(
        mechanism=f"tc {words} on {scene.names}",
        inject="\n".join(f"{line} || exit 1" for line in lines),
        undo=f'for d in $({present}); do tc qdisc del dev "$d" root || exit 1; done\n[ -z "$({present})" ] || exit 1\n',
        residue=f"tc qdisc show | grep {quote(f' {mine}: ')} | sed 's/^/tc /'\n",
    )


def _refuse_foreign(shell: Shell, scene: Scene, mine: str) -> None:
    asked = {device.name: f"tc qdisc show dev {quote(device.name)}" for device in scene.devices}
    for name, line in [(name, line) for name, shown in ask(shell, asked).items() for line in shown.splitlines()]:
        words = line.split()
        # A handle of 0: is the kernel's own default; anything else was put there by somebody.
        if len(words) > 3 and words[3] == "root" and words[2] != "0:":
            whose = "another lease's" if words[2] == f"{mine}:" else "not ours"
            raise ForeignState(
                f"{name} already has a root queue ({words[1]} {words[2]}), {whose}; remove it, or choose another device"
            )


def _lines(flow: Flow, scene: Scene, mine: str, rate_mbit: float, netem: str, device: str) -> list[str]:
    rate = f"{round(rate_mbit * 1000)}kbit"
    # A burst of at least one tick's worth (10 ms), or high rates are never reached.
    burst = max(16_000, round(rate_mbit * 1e6 / 8 * 0.01))
    lines = [
        f"tc qdisc add dev {device} root handle {mine}: htb default 0",
        f"tc class add dev {device} parent {mine}: classid {mine}:10 htb rate {rate} "
        f"burst {burst} cburst {burst} quantum 60000",
    ]
    if netem:
        lines.append(f"tc qdisc add dev {device} parent {mine}:10 handle {int(mine, 16) - 0x8000:x}: netem {netem}")
    filter_ = f"tc filter add dev {device} parent {mine}:"
    if scene.control:
        family, protocol = ("ip6", "ipv6") if ":" in scene.control.peer else ("ip", "ip")
        prefix = 128 if family == "ip6" else 32
        lines.append(
            f"{filter_} protocol {protocol} prio 1 u32 match {family} dst {scene.control.peer}/{prefix} "
            f"match {family} protocol 6 0xff match {family} sport {scene.control.port} 0xffff flowid {mine}:0"
        )
    return lines + [f"{filter_} {match} flowid {mine}:10" for match in _u32(flow)]


def _u32(flow: Flow) -> list[str]:
    numbers = {"any": [0], "tcp": [6], "udp": [17], "icmp": [1]}[flow.protocol]
    if flow.ports and flow.protocol == "any":
        numbers = [6, 17]
    found = []
    networks = [ipaddress.ip_network(peer, strict=False) for peer in flow.peers] or [
        ipaddress.ip_network("0.0.0.0/0"),
        ipaddress.ip_network("::/0"),
    ]
    for network in networks:
        family, protocol, prio = ("ip", "ip", 2) if network.version == 4 else ("ip6", "ipv6", 3)
        for number in numbers:
            base = f"protocol {protocol} prio {prio} u32 match {family} dst {network}"
            if number:
                wire = 58 if family == "ip6" and number == 1 else number
                base += f" match {family} protocol {wire} 0xff"
            sides = [f" match {family} {side} {port} 0xffff" for port in flow.ports for side in ("dport", "sport")]
            found += [base + side for side in sides or [""]]
    return found
