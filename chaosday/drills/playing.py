"""The first half of a run in one call: everything up to the moment when its faults are gone again."""

from __future__ import annotations

from chaosday.drills.execution import Execution
from chaosday.model.clean import Clean


def play(run: Execution) -> list[Clean]:
    """Steady state, baseline, faults and what comes after them; undone whatever happens, and how that was seen."""
    try:
        run.preflight()
        run.baseline()
        run.inject()
        run.observe()
    finally:
        cleans = run.rollback()
    return cleans
