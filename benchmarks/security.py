"""What whoever stands beside a run gets out of it: attacks carried out, and those that held.

Every attack is a test of the suite, so that its words say what was tried; ``docs/threat-model.md`` names them by
threat.
"""

from __future__ import annotations

from typing import Any

from benchmarks._suites import run_suites
from tests.conformance.test_values import ALL

ATTACKS = (
    "tests/undo/test_belief.py",
    "tests/faults/cloud/test_planted_leases.py",
    "tests/faults/data/test_rows_as_owner.py",
    "tests/faults/test_covered_owner.py",
    "tests/faults/test_owned_places.py",
    "tests/conformance/test_values.py",
    "tests/processes/test_planted_programs.py",
)


def run(*, quick: bool) -> dict[str, Any]:
    """``attacks`` carried out and ``held``, and the ``string_fields`` that hostile text was sent through.

    ``failed`` names the attacks that got through, or could not be carried out here. ``quick`` repeats none of them.
    """
    rounds = [run_suites("-m", "slow or not slow", *ATTACKS) for _ in range(1 if quick else 3)]
    return {
        "attacks": sum(each.cases for each in rounds),
        "held": sum(len(each.passed) for each in rounds),
        "string_fields": len(ALL),
        "failed": sorted({name for each in rounds for name in each.failed}),
        "seconds": round(sum(each.seconds for each in rounds), 1),
    }
