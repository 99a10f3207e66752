"""Telling Prefect what a run does: a convenience, which must not stand between a fault and its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import httpx
from prefect.exceptions import PrefectException

from chaosday.running.run import Run

RIM = (httpx.HTTPError, PrefectException, OSError, RuntimeError)
"""What Prefect's client raises where its server is gone, or says something that it does not understand."""
LOST = "prefect_lost"
_lost: set[str] = set()


def tell(run: Run, say: Callable[[], object]) -> None:
    """Say it, as long as somebody hears it; a server that did not answer once is not waited for again."""
    if run.directory.run in _lost:
        return
    try:
        say()
    except RIM as error:
        lose(run, error)


def lose(run: Run, error: Exception) -> None:
    """Keep in the run's journal that its flow run could not be updated, and why."""
    if run.directory.run in _lost:
        return
    _lost.add(run.directory.run)
    with contextlib.suppress(OSError):
        run.journal.append(LOST, why=type(error).__name__)
