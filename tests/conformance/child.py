"""A run in a process of its own, which stops at a chosen boundary and waits to be ended.

``python -m tests.conformance.child JOURNAL FAULT TARGET BOUNDARY [watched]``; fault and target are JSON. It
prints one line when it has come to the boundary, and goes on when it is sent one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chaosday import registry
from chaosday.journal import Journal
from chaosday.lifecycle import Lifecycle
from chaosday.signals import Stopped
from chaosday.watchdog import Watchdog

BOUNDARIES = ("planned", "armed", "injected", "attested", "healed")


def main(journal_path: str, fault_json: str, target_json: str, boundary: str, *more: str) -> None:
    said, where = json.loads(fault_json), json.loads(target_json)
    fault = registry.member("faults", said["kind"]).model_validate(said)
    target = registry.member("targets", where["kind"]).model_validate(where)
    journal = Journal.create(Path(journal_path), "run-of-child")
    watchdog = Watchdog.start("run-of-child", Path(journal_path)) if "watched" in more else None
    life = Lifecycle("run-of-child", journal, {fault.target: target})

    def reached(name: str) -> None:
        if name == boundary:
            print(f"at {name}", flush=True)
            sys.stdin.readline()

    with life:
        plan = life.plan(fault)
        reached("planned")
        life.arm(plan)
        reached("armed")
        life.inject(plan)
        if "beating" in more:
            life.start_heartbeat()
        reached("injected")
        life.attest(plan)
        reached("attested")
        life.heal_all()
        reached("healed")
    if watchdog is not None:
        watchdog.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
