"""A run in a process of its own, which stops at a chosen boundary and waits to be ended, or to be told to go on."""

from __future__ import annotations

import json
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from chaosday import registry  # imported once, before the fork of each run
from chaosday.errors import LeaseError
from chaosday.record.journal import Journal
from chaosday.running.lifecycle import Lifecycle
from chaosday.running.signals import Stopped
from chaosday.undo import recovery  # noqa: F401  (the same)
from chaosday.undo.watchdog import Watchdog

LEASE_GONE = "the lease ended:"
"""How it tells that it ended itself: it stood still for longer than its lease, or the host did not answer."""
BOUNDARIES = ("planned", "armed", "injected", "attested", "healed")

for family in ("faults", "targets", "checks", "corruptions"):
    registry.members(family)


def main(parent: Connection, journal_path: Path, fault_json: str, target_json: str, stop_at: tuple[str, bool]) -> None:
    """Live through a fault's life up to the boundary ``stop_at``; say so on ``parent``, and wait there for a word.

    The second half of ``stop_at`` is whether a watchdog stands by.
    """
    os.setsid()
    boundary, watched = stop_at
    said, where = json.loads(fault_json), json.loads(target_json)
    fault = registry.member("faults", said["kind"]).model_validate(said)
    target = registry.member("targets", where["kind"]).model_validate(where)
    journal = Journal.create(journal_path, "run-of-child")
    watchdog = Watchdog.start("run-of-child", journal_path) if watched else None
    life = Lifecycle("run-of-child", journal, {fault.target: target})
    life.watchdog = watchdog

    def reached(name: str) -> None:
        if name == boundary:
            parent.send(name)
            parent.recv()

    try:
        with life:
            plan = life.plan(fault)
            reached("planned")
            life.arm(plan)
            reached("armed")
            life.inject(plan)
            reached("injected")
            life.attest(plan)
            reached("attested")
            life.heal_all()
            reached("healed")
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
    except LeaseError as error:
        parent.send(f"{LEASE_GONE} {error}")
        sys.exit(1)
    if watchdog is not None:
        watchdog.close()
