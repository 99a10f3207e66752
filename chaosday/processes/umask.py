"""What a run writes is for its owner alone; what it starts on a target keeps the umask that we were started with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

OURS_ALONE = 0o077


def _now() -> int:
    # There is no call that only asks.
    now = os.umask(OURS_ALONE)
    os.umask(now)
    return now


GIVEN = _now()
"""Ours when this process began."""


@contextmanager
def ours_alone() -> Iterator[None]:
    """While the block lasts, new files and folders of this process are closed to group and others."""
    with _masked(OURS_ALONE):
        yield


@contextmanager
def as_given() -> Iterator[None]:
    """For what other accounts share with us, as far as whoever started us lets them."""
    with _masked(GIVEN):
        yield


@contextmanager
def _masked(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
