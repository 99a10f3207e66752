"""The same conversation directly and through an idle proxy: what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chaosday.mechanisms.proxy.addresses import joined
from tests.mechanisms.idle.script import PATIENCE_S, Step, listening_on, play

Leads = Callable[[str], tuple[str, int]]
"""From ``host:port`` of a server to where clients of a route to it connect."""


def differences(steps: Sequence[Step], leads: Leads, patience_s: float = PATIENCE_S) -> list[str]:
    """Lines of the transcript that are not as they are without the proxy; none where it is not noticed."""
    with listening_on() as listening:
        direct = play(steps, listening, listening.getsockname(), patience_s)
    with listening_on() as listening:
        through = play(steps, listening, leads(joined(*listening.getsockname()[:2])), patience_s)
    found = [f"{a} | through the proxy {b}" for a, b in zip(direct, through, strict=False) if a != b]
    if not found and len(direct) != len(through):
        found = [f"{len(direct)} steps directly, {len(through)} through the proxy"]
    return found
