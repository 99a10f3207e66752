"""A run's verbs in order, without anybody in between: what there is to a run where Prefect is not."""

from __future__ import annotations

from chaosday.judging.verdict import Verdict
from chaosday.model.clean import Clean
from chaosday.running.run import Run


def play(run: Run) -> list[Clean]:
    """Up to the moment when everything is undone again; undone whatever happens, and how that was seen."""
    try:
        run.preflight()
        if run.ready:
            run.baseline()
        if run.ready:
            run.inject()
            run.observe()
    finally:
        cleans = run.rollback()
    return cleans


def complete(run: Run) -> Verdict:
    """From preflight to report."""
    play(run)
    run.verify()
    run.prove()
    verdict = run.report()
    run.clean_up()
    return verdict
