"""Which faults may hide each other from whoever looks: on one thing, or on the way by which the other is reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from chaosday.model.fault import Fault
from chaosday.model.target import Processes, Shell, Target, words_in

HERE = "127.0.0.1"
ADDRESSES = ("host", "jump", "sentinels", "listen", "upstream", "proxy", "endpoint_url", "base_url")
"""Fields of targets that say where something is reached, or what it leads to."""


@dataclass(frozen=True)
class Placed:
    """A fault and what it is on."""

    fault: Fault
    target: Target

    @property
    def hurts_this_machine(self) -> bool:
        """Whether it is on this machine as a whole, by which everything else is reached."""
        requires = self.fault.requires
        return self.target.here and Shell in requires and Processes not in requires

    @property
    def named(self) -> set[str]:
        """Addresses in the fault's own fields: whom it is cut off from, or measured against."""
        return {host for host in map(_host, words_in(self.fault.model_dump())) if _is_address(host)}


def may_hide(later: Placed, earlier: Placed, targets: Iterable[Target]) -> bool:
    """Whether looks at ``earlier`` may miss it, or get no answer, because of ``later``.

    So it is on one target, on one machine, and where a route or an address of the one leads to the other; also where
    nobody can tell how something is reached. What is looked at on this machine, without a network, is not hidden.
    """
    if later.fault.target == earlier.fault.target or Target.public(later.target) == Target.public(earlier.target):
        return True
    if earlier.hurts_this_machine and later.hurts_this_machine:
        return True
    over = _led(_hosts(earlier.target) | earlier.named, targets)
    if not over:
        return not earlier.target.here
    at = _hosts(later.target) | later.named | ({HERE} if later.target.here else set())
    if not at or later.hurts_this_machine or bool(getattr(earlier.target, "via", "")):
        return True
    # A name and a number may be the same machine.
    alike = any(_is_address(one) != _is_address(other) for one in over - {HERE} for other in at - {HERE})
    return alike or bool(over & at)


def _led(over: set[str], targets: Iterable[Target]) -> set[str]:
    """The hosts on the way, those included that routes lead to from there."""
    routes = [target for target in targets if getattr(target, "upstream", "")]
    for _ in routes:
        over = over.union(*(_hosts(route) for route in routes if _hosts(route, "listen") & over))
    return over


def _hosts(target: Target, *fields: str) -> set[str]:
    words = (word for field in fields or ADDRESSES for word in words_in(getattr(target, field, "")))
    return {_host(word) for word in words} - {""}


def _host(text: str) -> str:
    """The host of ``host``, ``user@host:port`` or a URL; of a name its first label, of this machine ``HERE``."""
    place = text.rpartition("//")[2].partition("/")[0].rpartition("@")[2].lower()
    if place.startswith("["):
        place = place[1:].partition("]")[0]
    elif place.count(":") == 1:
        place = place.partition(":")[0]
    if place == "localhost" or (_is_address(place) and ipaddress.ip_address(place).is_loopback):
        return HERE
    return place if _is_address(place) else place.partition(".")[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
