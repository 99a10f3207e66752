"""A route and what is on it now: leases with their rules, each ended by the proxy's own timer."""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from chaosday.errors import LeaseError, UsageError
from chaosday.mechanisms.http_proxy.canary import Tickets
from chaosday.mechanisms.http_proxy.recognise import Asked
from chaosday.mechanisms.http_proxy.rule import Rule
from chaosday.mechanisms.http_proxy.tls import Front
from chaosday.model.lease import Lease, LeaseState

KEPT_HEALED = 1000
REMEMBERED_BYTES = 8 << 20


@dataclass
class Active:
    """A rule that is on: its dice, its budget, what it has done, and the event that says it is over."""

    rule: Rule
    ended: asyncio.Event
    dice: random.Random
    seen: int = 0
    hit: int = 0
    hurt: int = 0
    """How many of those that it hit were no canaries."""
    remembered: dict[str, bytes] = field(default_factory=dict)
    _tokens: float = 0
    _filled_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._tokens = self.rule.allowed_per_s  # a client that was quiet has its allowance

    def strikes(self, is_canary: bool = False) -> bool:
        """Whether this matching request is the one that gets hurt."""
        self.seen += 1
        if self.dice.random() >= self.rule.probability:
            return False
        if allowed := self.rule.allowed_per_s:
            now = time.monotonic()
            self._tokens = min(max(1.0, allowed), self._tokens + (now - self._filled_s) * allowed)
            self._filled_s = now
            if self._tokens >= 1:
                self._tokens -= 1
                return False
        self.hit += 1
        self.hurt += not is_canary
        return True

    async def wait(self, seconds: float) -> None:
        """So long, or until it is over."""
        over = asyncio.ensure_future(self.ended.wait())
        await asyncio.wait((over,), timeout=seconds)
        over.cancel()

    def remember(self, question: str, answer: bytes) -> None:
        """Keep the first answer to a question, within a memory that a listing needs and a download exceeds."""
        if len(answer) + sum(map(len, self.remembered.values())) <= REMEMBERED_BYTES:
            self.remembered.setdefault(question, answer)


@dataclass
class Held:
    """A lease and what is done under it."""

    lease: Lease
    others: int = 0
    """Requests of the route that were no canaries before there was a rule."""
    due_s: float = 0
    rules: list[Active] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None


@dataclass(frozen=True)
class Upstream:
    """Where a route leads: ``http://host:port`` or ``https://host:port``, with the file of a private authority."""

    host: str
    port: int
    tls: bool
    authority_file: str = ""

    @classmethod
    def of(cls, url: str, authority_file: str = "") -> Upstream:
        # What was given is not said: it may hold a login.
        wrong = UsageError("an upstream is http://host:port or https://host:port, without a user or a password")
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise wrong from None
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise wrong
        return cls(parts.hostname, port, parts.scheme == "https", authority_file)

    def context(self, protocols: Sequence[str]) -> ssl.SSLContext:
        """What it is trusted by, offering ``protocols`` (ALPN) until it is asked for again: to be used at once.

        A connection takes a copy of what is offered.
        """
        silent, offering = self._trust
        if not protocols:
            return silent
        offering.set_alpn_protocols(list(protocols))
        return offering

    @cached_property
    def _trust(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """Read once: it takes tens of milliseconds. Two, since OpenSSL before 3.0 does not take back an offer."""
        silent, offering = (ssl.create_default_context(cafile=self.authority_file or None) for _ in range(2))
        return silent, offering

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


class Route:
    """Requests come in at ``listen`` and go out to ``upstream``, unless a rule says otherwise.

    It lives on the proxy's event loop, and its leases end by the loop's own clock.
    """

    def __init__(self, name: str, upstream: Upstream, front: Front | None = None) -> None:
        self.name = name
        self.upstream = upstream
        self.front = front
        self.listen = ""
        self.requests = 0
        self.canaries = 0
        self.tickets = Tickets()
        self._held: dict[str, Held] = {}
        self._healed: dict[str, LeaseState] = {}

    @property
    def armed(self) -> bool:
        """Whether there is a lease, so that requests have to be understood before they go on."""
        return bool(self._held)

    def pick(self, asked: Asked, is_canary: bool = False) -> Active | None:
        """The first rule that hurts this request; most of the time there is none."""
        now = time.monotonic()
        live = [active for held in self._held.values() if now < held.due_s for active in held.rules]
        return next((each for each in live if each.rule.match.fits(asked) and each.strikes(is_canary)), None)

    def arm(self, lease: Lease) -> None:
        """Take the lease and start its timer."""
        if lease.id in self._held:
            raise LeaseError(f"{lease.id} is armed already on {self.name}")
        self._held[lease.id] = held = Held(lease)
        self._time(held, lease.ttl_s)

    def renew(self, lease_id: str, ttl_s: float) -> None:
        held = self._held.get(lease_id)
        if held is None or time.monotonic() >= held.due_s:
            raise LeaseError(f"{lease_id} is over on {self.name}: it cannot be renewed")
        self._time(held, ttl_s)

    def add(self, lease_id: str, rule: Rule) -> None:
        """Put a rule into force under an armed lease."""
        held = self._held.get(lease_id)
        if held is None or time.monotonic() >= held.due_s:
            raise LeaseError(f"{lease_id} is not armed on {self.name}: nothing was injected")
        seed = int.from_bytes(hashlib.sha256(f"{rule.seed}/{len(held.rules)}".encode()).digest()[:8], "big")
        held.others = held.others if held.rules else self.requests - self.canaries
        held.rules.append(Active(rule, held.ended, random.Random(seed)))

    def heal(self, lease_id: str) -> None:
        """End everything of a lease, waking what waits because of it."""
        held = self._held.pop(lease_id, None)
        if held is None:
            return
        if held.timer is not None:
            held.timer.cancel()
        self._healed[lease_id] = _state(held.lease, held.due_s - time.monotonic(), healed=True)
        while len(self._healed) > KEPT_HEALED:
            self._healed.pop(next(iter(self._healed)))
        held.ended.set()

    def residue(self, lease_id: str) -> list[str]:
        held = self._held.get(lease_id)
        if held is None:
            return []
        return [
            f"route {self.name}: lease {lease_id}",
            *(f"route {self.name}: {a.rule.effect} rule" for a in held.rules),
        ]

    def leases(self) -> list[LeaseState]:
        now = time.monotonic()
        return [*(_state(held.lease, held.due_s - now) for held in self._held.values()), *self._healed.values()]

    def counts(self, lease_id: str) -> dict[str, int]:
        """How many requests the route saw, and how many of them this lease's rules matched and hit; how many
        ``others``, which are no canaries, it saw since the first rule, and how many of these were ``hurt``."""
        held = self._held.get(lease_id)
        rules = held.rules if held else []
        others = self.requests - self.canaries - held.others if held and rules else 0
        found = {"requests": self.requests, "seen": sum(a.seen for a in rules), "hit": sum(a.hit for a in rules)}
        return found | {"others": others, "hurt": sum(a.hurt for a in rules)}

    def _time(self, held: Held, ttl_s: float) -> None:
        if held.timer is not None:
            held.timer.cancel()
        held.due_s = time.monotonic() + ttl_s
        held.timer = asyncio.get_running_loop().call_later(ttl_s, self.heal, held.lease.id)


def _state(lease: Lease, remaining_s: float, *, healed: bool = False) -> LeaseState:
    return LeaseState(id=lease.id, run=lease.run, fault=lease.fault, remaining_s=remaining_s, healed=healed)
