"""Names do not resolve, resolve wrongly, or resolve late."""

from __future__ import annotations

import json
import zlib
from importlib import resources
from ipaddress import AddressValueError, IPv4Address
from shlex import quote
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, ForeignState, UsageError
from chaosday.mechanisms.dose import overdose
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.mechanisms.packets import firewall
from chaosday.model.fault import FaultPlan, PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.model.words import DEVICE
from chaosday.processes import mark

OUR_MARK = 0x6364_0035


class NetworkDns(ScriptFault):
    """Hurt the target's lookups over UDP of ``name`` and what is below it (all names where empty).

    They are led to a small resolver of ours on the target (python3), which passes on what is not meant.
    ``lookup`` is the name by which the effect is measured; it must resolve before the fault.
    """

    kind: Literal["network.dns"] = "network.dns"
    mode: Literal["nxdomain", "servfail", "wrong_answer", "slow"] = "nxdomain"
    name: str = Field(default="", pattern=DEVICE)
    lookup: str = Field(default="", pattern=DEVICE, description="Default: name")
    answer: str = Field(default="198.18.255.254", description="The wrong answer: an IPv4 address")
    delay_ms: float = Field(default=1000, gt=0, le=60_000)

    tools = ("nft", "python3", "setsid", "getent", "timeout", "date")

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        name = self.lookup or self.name
        if not name:
            raise UsageError("network.dns needs a lookup: a name that resolves now and by which the effect is measured")
        try:
            IPv4Address(self.answer)
        except AddressValueError:
            raise UsageError(f"answer {self.answer!r} is not an IPv4 address") from None
        found = ask(shell, {"server": "sed -n 's/^nameserver *//p' /etc/resolv.conf", "now": _lookup(name)})
        servers = [server for server in found["server"].split() if ":" not in server]
        if not servers:
            raise CapabilityMissing("the target has no IPv4 nameserver in /etc/resolv.conf")
        if found["now"].split()[0] == "-":
            raise UsageError(f"{name} does not resolve on the target now, so that no effect could be seen on it")
        # Below the ephemeral ports, so that no outgoing connection has it.
        port = 20_000 + zlib.crc32(context.lease_id.encode()) % 10_000
        taken = ask(shell, {"p": f"grep -i ':{port:04X} ' /proc/net/udp /proc/net/udp6"})["p"]
        if taken:
            raise ForeignState(f"UDP port {port} of the target is taken; plan again for another one")
        rule = f"meta mark != {OUR_MARK:#x} udp dport 53 redirect to :{port}"
        chain = f" chain dns {{\n  type nat hook output priority -100; policy accept;\n  {rule}\n }}"
        rules = f"table ip {context.lease_id} {{\n{chain}\n}}\n"
        firewall.verify(shell, context.lease_id, rules)
        wish = {"port": port, "upstream": servers[0], "mark": OUR_MARK, "name": self.name, "mode": self.mode}
        wish |= {"answer": self.answer, "delay_ms": self.delay_ms}
        daemon = resources.files("chaosday.mechanisms.packets").joinpath("dns_daemon.py").read_text()
        up = f"grep -qi ':{port:04X} ' /proc/net/udp"
        means = Means(
            mechanism=f"nftables redirect to a resolver of ours on port {port}, served by python3 on the target",
            inject=mark.start(context.lease_id, f"exec python3 -I -c {quote(daemon)} {quote(json.dumps(wish))}")
            + f"tries=0; until {up}; do tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1; sleep 0.05; done\n"
            + firewall.load(rules),
            undo=firewall.undo(context.lease_id) + mark.end(context.lease_id),
            residue=firewall.residue(context.lease_id) + mark.residue(context.lease_id),
        )
        return Prepared(means, {"lookup": name}, {"nft": "nft -s list ruleset"})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        answers = [shell.run(PATH + _lookup(str(data["lookup"])), timeout_s=90).out.split() for _ in range(3)]
        by = f"{len(answers)} lookups of {data['lookup']} by getent"
        if self.mode == "slow":
            took = sorted(float(ms) for _, ms in answers)
            return Reading(value=took[1], least=took[0], unit="ms", by=by)
        meant = self.answer if self.mode == "wrong_answer" else "-"
        hit = sum(address == meant for address, _ in answers)
        unit = "% got the wrong answer" if self.mode == "wrong_answer" else "% failed"
        return Reading(value=round(100 * hit / len(answers), 1), unit=unit, by=by)

    def served_by(self, plan: FaultPlan) -> str:
        return "the resolver of ours"

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        words = f"{self.mode}: {during.value:g} {during.unit}, before {baseline.value:g}"
        if self.mode == "slow":
            words = f"asked {self.delay_ms:g} ms; {words}"
            if too_much := overdose(baseline, during, self.delay_ms):
                return False, f"{words}; {too_much}: a lookup may ask more than once, by search in resolv.conf"
            return during.value - baseline.value >= 0.9 * self.delay_ms, words
        return during.value == 100 and baseline.value == 0, words


def _lookup(name: str) -> str:
    """Shell text that prints the first address of a name, or "-", and how many milliseconds it took."""
    return (
        f"s=$(date +%s%N); a=$(timeout 25 getent ahostsv4 {quote(name)} | sed -n '1s/ .*//p'); "
        'echo "${a:--} $((($(date +%s%N) - s) / 1000000))"'
    )
