"""Packets stopped by nftables, in tables of our own that are named after the lease."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from shlex import quote

from chaosday.errors import CapabilityMissing, ForeignState
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.mechanisms.packets.flow import Flow, Way, chain, spare, table
from chaosday.model.scene import Scene
from chaosday.model.target import Shell

EGRESS = "hook egress device {device} priority 0"
OWN_LINK = "@own-link"
PREROUTING = "hook prerouting priority -150"
"""After connection tracking (-200), before anything that routes or delivers: forwarded packets are met too."""
INPUT = "hook input priority -5"
OUTPUT = "hook output priority -5"
MANGLE_OUTPUT = "hook output priority -150"
OUTPUT_REFUSED = "hook output priority -4"
"""The output hook where an error at the sender is the point and not a blemish."""


def silently(shell: Shell, flow: Flow, scene: Scene, verdicts: Mapping[str, str]) -> Means:
    """Packets that vanish: ``verdicts`` says for "in" and "out" which of those that match are dropped.

    No drop on the sender's own host is silent: from the output hook ``sendto`` fails with EPERM, from the
    egress hook with ENOBUFS, on which ping and others send again as if nothing had been lost. So packets
    that go out are sent to our own link address instead: the first switch has it on the port that they
    came from and discards them. Kernels before 5.16 and links without such addresses cannot; there the
    output hook is used and the mechanism says so.
    """
    if "out" not in verdicts:
        return build(shell, flow, scene, verdicts, {"in": PREROUTING})
    if all(device.link for device in scene.devices):
        out = re.sub(r"drop$", f"ether daddr set {OWN_LINK}", verdicts["out"])
        with contextlib.suppress(CapabilityMissing):
            return build(shell, flow, scene, {**verdicts, "out": out}, {"in": PREROUTING, "out": EGRESS})
    return build(shell, flow, scene, verdicts, {"in": PREROUTING, "out": OUTPUT})


def build(shell: Shell, flow: Flow, scene: Scene, verdicts: Mapping[str, str], hooks: Mapping[str, str]) -> Means:
    """Tables for these verdicts on these hooks, tried on the target's own kernel without committing them."""
    rules = ruleset(flow, scene, verdicts, hooks)
    verify(shell, scene.lease_id, rules)
    used = ", ".join(
        hooks[way].split()[1] + (" (sender sees EPERM)" if hooks[way] is OUTPUT else "") for way in verdicts
    )
    return Means(f"nftables: {used}", load(rules), undo(scene.lease_id), residue(scene.lease_id))


def ruleset(flow: Flow, scene: Scene, verdicts: Mapping[str, str], hooks: Mapping[str, str]) -> str:
    """The text for ``nft -f``: the control connection first, then what is meant."""
    text = ""
    for way, verdict in verdicts.items():
        egress = hooks[way] is EGRESS
        direction: Way = "in" if way == "in" else "out"
        rules = spare(scene.control, direction)
        if egress:
            # This hook sees every frame; without ARP nothing comes back, and that is another fault.
            rules.append("meta protocol != { ip, ip6 } accept")
        else:
            rules += [] if flow.loopback() else [f"{'iifname' if way == 'in' else 'oifname'} lo accept"]
        if not flow.peers:
            rules.append("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept")
        rules += [f"{match} {verdict}".strip() for match in flow.matches(direction)]
        if egress:
            chains = [
                chain(
                    f"{way}{n or ''}",
                    hooks[way].format(device=f'"{device.name}"'),
                    [rule.replace(OWN_LINK, device.link) for rule in rules],
                )
                for n, device in enumerate(scene.devices)
            ]
        else:
            chains = [chain(way, hooks[way], rules)]
        text += table("netdev" if egress else "inet", scene.lease_id, chains)
    return text


def verify(shell: Shell, lease_id: str, rules: str) -> None:
    """Have the kernel check the rules and forget them; also refuse where our name is already taken."""
    if lease_id in ask(shell, {"tables": "nft list tables"})["tables"].split():
        raise ForeignState(f"an nft table called {lease_id} is already there; heal that lease first")
    tried = shell.run(f"{PATH}nft -c -f -", stdin=rules, sudo=True)
    if tried.code:
        raise CapabilityMissing(f"this kernel's nftables cannot do it: {tried.err.strip().splitlines()[0][:200]}")


def load(rules: str) -> str:
    """Shell text that commits the rules, all of them or none."""
    return f"nft -f - <<'RULES' || exit 1\n{rules}RULES\n"


def undo(lease_id: str) -> str:
    """Shell text that deletes our tables and fails if one is still there."""
    return (
        f"for family in inet netdev ip; do nft delete table $family {quote(lease_id)} 2>/dev/null; done\n"
        "tables=$(nft list tables) || exit 1\n"
        f"! printf '%s\\n' \"$tables\" | grep -q {quote(f' {lease_id}$')} || exit 1\n"
    )


def residue(lease_id: str) -> str:
    """Shell text that prints our tables that are still there."""
    return f"nft list tables | grep {quote(f' {lease_id}$')} | sed 's/^/nft /'\n"
