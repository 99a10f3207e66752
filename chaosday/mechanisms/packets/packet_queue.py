"""Packets handed to a program of ours (NFQUEUE) where the kernel has no netem, or netem cannot do it.

The one mechanism that needs python3 on the target: the daemon is a script that is put there by inject
and taken away by the undo. Packets are delayed on their way in by preference: on the way out they stay
charged to the sender's socket, and TCP falls to 0.2 Mbit/s at 100 ms (its small-queue limit).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources
from shlex import quote
from typing import Literal

from chaosday.errors import CapabilityMissing, ForeignState, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.tools import PATH, ask, need
from chaosday.mechanisms.packets import firewall
from chaosday.mechanisms.packets.flow import Flow
from chaosday.model.scene import Scene
from chaosday.model.target import Shell
from chaosday.processes import mark

QUEUES = "/proc/net/netfilter/nfnetlink_queue"
TWIN_MARK = 0x6364_0000
"""Firewall marks 0x6364xxxx are ours; the low half is the queue."""


@dataclass(frozen=True)
class Harm:
    """What the daemon does to each packet; shares in per cent, drawn from ``seed``."""

    delay_ms: float = 0
    jitter_ms: float = 0
    correlation_percent: float = 0
    distribution: Literal["normal", "uniform", "pareto"] = "normal"
    loss_percent: float = 0
    burst_packets: float = 1
    duplicate_percent: float = 0
    reorder_percent: float = 0
    corrupt_percent: float = 0
    repair_checksum: bool = False
    seed: int = 0


@cache
def daemon() -> str:
    """The text of the script that is put on the target."""
    return resources.files("chaosday.mechanisms.packets").joinpath("packet_queue_daemon.py").read_text()


def build(shell: Shell, flow: Flow, scene: Scene, harm: Harm, ways: Sequence[str]) -> Means:
    """Queue what matches and start the daemon on it; ``CapabilityMissing`` where either cannot be."""
    need(shell, "python3", "setsid")
    if (harm.duplicate_percent or harm.corrupt_percent) and any(":" in peer for peer in flow.peers):
        raise UsageError("packets of IPv6 peers cannot be doubled or damaged by the packet queue; name IPv4 peers")
    number = 1 + zlib.crc32(scene.lease_id.encode()) % 65_534
    if str(number) in [line.split()[0] for line in ask(shell, {"q": f"cat {QUEUES}"})["q"].splitlines()]:
        raise ForeignState(f"packet queue {number} is already served by another program; plan again for another number")
    hooks = {"in": firewall.PREROUTING, "out": firewall.MANGLE_OUTPUT}
    harm = replace(harm, seed=scene.seed)
    rules, undo_rules, rules_left, how = _rules(shell, flow, scene, number, ways, hooks)
    return Means(
        mechanism=f"NFQUEUE {number} ({how}, {' and '.join(ways)}), served by python3 on the target",
        inject=_start(scene.lease_id, number, harm) + rules,
        # First the rules, then the daemon: packets that wait in it when it goes are dropped by the kernel.
        undo=undo_rules + mark.end(scene.lease_id),
        residue=rules_left + mark.residue(scene.lease_id),
    )


def _start(lease_id: str, number: int, harm: Harm) -> str:
    argument = json.dumps({**asdict(harm), "queue": number, "mark": TWIN_MARK | number})
    # The script comes as an argument: no file of ours has to lie about while it runs.
    command = f"exec python3 -I -c {quote(daemon())} {quote(argument)}"
    return mark.start(lease_id, command) + (
        f"tries=0; until grep -q '^ *{number} ' {QUEUES}; do tries=$((tries + 1)); "
        '[ $tries -lt 100 ] || { echo "the packet queue daemon did not start" >&2; exit 1; }; sleep 0.05; done\n'
    )


def _rules(
    shell: Shell, flow: Flow, scene: Scene, number: int, ways: Sequence[str], hooks: dict[str, str]
) -> tuple[str, str, str, str]:
    how = "iptables"
    unless_twin = f"meta mark != {TWIN_MARK | number:#x} "
    verdicts = dict.fromkeys(ways, f"{unless_twin}queue flags bypass to {number}")
    rules = firewall.ruleset(flow, scene, verdicts, hooks)
    if shell.run(f"{PATH}nft -c -f -", stdin=rules, sudo=True).code == 0:
        lease = scene.lease_id
        return firewall.load(rules), firewall.undo(lease), firewall.residue(lease), "nftables"
    # Kernels without NFT_QUEUE: our table only marks the packets that are meant, and one rule of xtables,
    # found again by its comment, queues what is marked.
    verdicts = dict.fromkeys(ways, f"{unless_twin}meta mark set {_meant(number):#x}")
    rules = firewall.ruleset(flow, scene, verdicts, _earlier(hooks))
    firewall.verify(shell, scene.lease_id, rules)
    need(shell, "iptables")
    tools = ["iptables"] + ["ip6tables"] * (not flow.peers or any(":" in peer for peer in flow.peers))
    chains = {"in": "PREROUTING", "out": "OUTPUT"}
    rest = (
        f"-m mark --mark {_meant(number):#x} -m comment --comment {quote(scene.lease_id)} "
        f"-j NFQUEUE --queue-num {number} --queue-bypass"
    )
    add = _added(tools, [f"{chains[way]} {rest}" for way in ways])
    tried = shell.run(f"{PATH}unshare --net sh -c {quote(add)}", sudo=True)
    if tried.code and not flow.peers:
        # A kernel without IPv6 has nobody to hurt by it.
        tools, how = ["iptables"], "iptables, IPv4 only"
        add = _added(tools, [f"{chains[way]} {rest}" for way in ways])
        tried = shell.run(f"{PATH}unshare --net sh -c {quote(add)}", sudo=True)
    if tried.code:
        said = (tried.err.strip() or "iptables said nothing").splitlines()[0]
        raise CapabilityMissing(f"this kernel can neither do netem nor NFQUEUE: {said[:200]}")
    each = [f"{tool} -w 5 -t mangle -D {chains[way]} {rest}" for tool in tools for way in ways]
    delete = "".join(f"while {one} 2>/dev/null; do :; done\n" for one in each)
    had = ask(shell, {"tables": "nft list tables"})["tables"].splitlines()
    for family in [{"iptables": "ip", "ip6tables": "ip6"}[tool] for tool in tools]:
        delete += "" if f"table {family} mangle" in had else _forget_empty_table(family)
    left = "".join(
        f"{tool}-save -t mangle 2>/dev/null | grep {quote(scene.lease_id)} | sed 's/^/{tool} /'\n" for tool in tools
    )
    lease = scene.lease_id
    return firewall.load(rules) + add, delete + firewall.undo(lease), left + firewall.residue(lease), how


def _meant(number: int) -> int:
    return 0x6365_0000 | number


def _earlier(hooks: dict[str, str]) -> dict[str, str]:
    return {way: hook.replace("priority -150", "priority -151") for way, hook in hooks.items()}


def _added(tools: Sequence[str], rules: Sequence[str]) -> str:
    return "".join(f"{tool} -w 5 -t mangle -A {rule} || exit 1\n" for tool in tools for rule in rules)


def _forget_empty_table(family: str) -> str:
    # iptables made the table for its first rule and leaves it, empty, with the last. Where it was not
    # there before and nobody has put a rule into it since, it goes too.
    return (
        f"nft list table {family} mangle 2>/dev/null | grep -qvE '^[[:space:]]*((table|chain|type) .*|[}}]|)$' || "
        f"nft delete table {family} mangle 2>/dev/null || :\n"
    )
