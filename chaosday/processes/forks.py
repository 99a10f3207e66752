"""Pipes whose closing means our death must not live on in children that were forked without exec."""

from __future__ import annotations

import contextlib
import os

_DESCRIPTORS: set[int] = set()


def close_in_children(descriptor: int, *, forget: bool = False) -> None:
    """Close ``descriptor`` in every child forked from now on; ``forget`` takes it off the list."""
    if forget:
        _DESCRIPTORS.discard(descriptor)
    else:
        _DESCRIPTORS.add(descriptor)


def _close_all() -> None:
    for descriptor in _DESCRIPTORS:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _DESCRIPTORS.clear()


os.register_at_fork(after_in_child=_close_all)
