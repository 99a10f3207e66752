"""What whoever stands beside a run gets out of it: attacks carried out, and those that held.

Every attack is a test of the suite, so that its words say what was tried; ``docs/threat-model.md`` names them by
threat. What all that costs a run's clients is measured against the commit before it, in turn with this one.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks._data_fuzz import SHARES, fuzz
from benchmarks._overhead import overhead
from benchmarks._suites import Suites, run_suites
from tests.conformance.test_values import ALL

ATTACKS = (
    "tests/undo/test_belief.py",
    "tests/faults/cloud/test_planted_leases.py",
    "tests/faults/data/test_rows_as_owner.py",
    "tests/faults/test_covered_owner.py",
    "tests/faults/test_owned_places.py",
    "tests/conformance/test_values.py",
    "tests/processes/test_planted_programs.py",
    "tests/mechanisms/application/test_proxy_attacks.py",
    "tests/conformance/test_ill_targets.py",
    "tests/model/test_document.py",
    "tests/drills/restoring/test_attacks.py",
    "tests/data/reconcile/test_lake_attacks.py",
    "tests/mechanisms/application/test_redirects.py",
    "tests/reporting/test_hostile_words.py",
)
RACES = (
    "tests/faults/test_covered_owner.py",
    "tests/faults/test_owned_places.py",
)
"""Attacks whose outcome is a matter of moments: they are carried out again, the others would say the same again."""
WATCHERS = "tests/safety/test_watchers.py"
CANARY = "tests/flows/test_canary.py"
PLACES = (
    "process list", "environments", "terminal", "journal", "plan and evidence", "report", "temporary files",
    "Prefect's home", "Prefect's database",
)  # fmt: skip
"""Where ``CANARY`` looks for a password that a whole run worked with."""


def run(*, quick: bool) -> dict[str, Any]:
    """``attacks`` carried out and ``held``, with the parts of them that have a count of their own.

    ``string_fields`` that hostile text was sent through, ``canary_places`` searched for a secret, ``parsers_fuzzed``
    and what became of ``fuzz_inputs``, ``watchers_killed`` (hung, blinded or ended) and those of them that nobody
    missed. ``overhead`` is the share by which an acknowledged operation costs more of the processor than before, with
    its bounds at 95 %. ``failed`` names the attacks that got through, or could not be carried out here. ``quick``
    repeats no suite, leaves out what is slow, and fuzzes a hundredth.
    """
    began = time.monotonic()
    which = "not slow" if quick else "slow or not slow"
    rounds = [run_suites("-m", which, *ATTACKS, WATCHERS)]
    rounds += [run_suites("-m", which, *RACES, WATCHERS) for _ in range(0 if quick else 2)]
    canary = run_suites("-m", "slow or not slow", CANARY)
    everything = [*rounds, canary]
    broken = fuzz(200 if quick else 20_000, 19, hang_s=60)
    watched = [_of(each, "test_watchers") for each in rounds]
    return {
        "attacks": sum(each.cases for each in everything),
        "held": sum(len(each.passed) for each in everything),
        "string_fields": len(ALL),
        "canary_places": len(PLACES) if canary.passed and not canary.failed else 0,
        "parsers_fuzzed": len(SHARES),
        **broken,
        "watchers_killed": sum(passed + failed for passed, failed in watched),
        "watchers_undetected": sum(failed for _, failed in watched),
        **overhead(10 if quick else 150),
        "failed": sorted({name for each in everything for name in each.failed}),
        "seconds": round(time.monotonic() - began, 1),
    }


def _of(suites: Suites, module: str) -> tuple[int, int]:
    """How many cases of one module passed and failed."""
    passed, failed = (sum(module in name for name in names) for names in (suites.passed, suites.failed))
    return passed, failed
