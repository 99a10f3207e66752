"""Bites that could flatter, and undos that could take what is others': how many cases, and which fail."""

from __future__ import annotations

from typing import Any

from benchmarks._suites import run_suites

BITES = (
    "tests/conformance/test_faults.py::test_it_bites_and_ends",
    "tests/faults/test_whole_doses.py",
    "tests/running/test_looking.py",
)
"""Every kind of fault is ended by somebody else in the middle; doses, ways and quotas; whole runs and their words."""
UNDONE = (
    "tests/faults/data",
    "tests/faults/test_process_faults.py",
    "tests/faults/test_disk_fill.py",
    "tests/workloads/test_lost_tables.py",
)


def figures(quick: bool) -> dict[str, Any]:
    """``bites_flattered``: cases in which a fault that was not there, or another dose, passed for a bite."""
    bites = run_suites("-m", "not slow", *BITES)
    undone = run_suites("-m", "not slow", *(UNDONE[2:] if quick else UNDONE))
    return {
        "cases": bites.cases + undone.cases,
        "cases_failed": len(bites.failed) + len(undone.failed),
        "cases_that_failed": [*bites.failed, *undone.failed],
        "bites_flattered": len(bites.failed),
        "cases_s": round(bites.seconds + undone.seconds, 1),
    }
