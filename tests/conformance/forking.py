"""Processes of their own for runs, forked off one server that has imported everything: to import it takes seconds."""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver, resource_tracker

from tests.lab import registry

FORKING = multiprocessing.get_context("forkserver")
# One list for the whole process: a second call replaces what the first one named.
FORKING.set_forkserver_preload(
    [
        "pandas",
        "scipy.stats",
        "chaosday.drills.kinds",
        "chaosday.reporting.page",
        "tests.conformance.arrangements",
        "tests.conformance.child",
    ]
)


def _end() -> None:
    """Left to itself the server ends some time after this process, and is then found as a thing that was left."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


registry.share(_end)
