"""The rate at which a client asks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from chaosday.model.workload import Stop


def paced(stop: Stop, rng: np.random.Generator, interval_s: float) -> Iterator[None]:
    """Come back whenever the next operation is due, until ``stop``; 0 is as fast as it goes.

    The first one comes after a part of the interval that ``rng`` draws, so that clients do not ask in step.
    """
    due = time.monotonic() + interval_s * float(rng.random())
    while not stop.is_set():
        if interval_s:
            if (wait := due - time.monotonic()) > 0 and stop.wait(wait):
                return
            # A stall is not made up for afterwards: a burst would hide the outage in the rate.
            due = max(due + interval_s, time.monotonic())
        yield
