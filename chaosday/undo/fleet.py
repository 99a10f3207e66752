"""Leases on many hosts at once: what they hold, and the end of it, from a machine that never ran the experiment."""

from __future__ import annotations

from collections.abc import Mapping

from chaosday.model.lease import LeaseHolder, LeaseState
from chaosday.model.target import Target
from chaosday.undo.fanout import HostOutcome, fan_out
from chaosday.undo.recovery import Recovered, recover


def leases_on(
    targets: Mapping[str, Target], *, at_once: int = 32, deadline_s: float = 60
) -> dict[str, HostOutcome[list[LeaseState]]]:
    """Every lease of ours on every host; a host that does not answer has its error for an outcome."""
    return fan_out(
        targets,
        lambda name, target: target.capability(LeaseHolder).leases(),
        at_once=at_once,
        deadline_s=deadline_s,
    )


def recover_hosts(targets: Mapping[str, Target], *, at_once: int = 32, deadline_s: float = 300) -> list[Recovered]:
    """End every lease on every host, whoever armed it; goes on past failures and says what it could not reach.

    No journal is needed: a lease carries its own undo. Hosts are worked on side by side, so that one
    which does not answer costs the others nothing.
    """
    done = fan_out(targets, lambda name, target: recover([], {name: target}), at_once=at_once, deadline_s=deadline_s)
    found: list[Recovered] = []
    for name, outcome in done.items():
        if outcome.result is not None:
            found += outcome.result
        else:
            found.append(
                Recovered(run="", ok=False, words=str(outcome.error or "it failed without a word"), target=name)
            )
    return found
