"""Telling Prefect what a run does: a convenience, which must not stand between a fault and its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import httpx
from prefect.exceptions import PrefectException
from prefect.settings import get_current_settings

from chaosday.running.run import Run

RIM = (httpx.HTTPError, PrefectException, OSError, RuntimeError)
"""What Prefect's client raises where its server is gone, or says something that it does not understand."""
LOST = "prefect_lost"
_lost: set[str] = set()
_patience: dict[str, int] = {}
"""How often Prefect's client tried again (``max_retries``) before its server was lost."""


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
    # Prefect's client tries each request six times within a minute, and the end of a run makes a dozen of them.
    client = get_current_settings().client
    _patience.setdefault("max_retries", client.max_retries)
    client.max_retries = 0
    with contextlib.suppress(OSError):
        run.journal.append(LOST, why=type(error).__name__)


def regain_patience() -> None:
    """Before the next run of this process: its server may have come back, and is asked as often as Prefect does."""
    if _patience:
        get_current_settings().client.max_retries = _patience.pop("max_retries")
