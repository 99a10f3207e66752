"""Acts with a hard end: what they raise, and what goes with it."""

from __future__ import annotations

import gc
import time
import weakref

import pytest

from chaosday.errors import TargetUnreachable
from chaosday.processes.limits.within import within

pytestmark = pytest.mark.kernel


class Client:
    """What a library holds connections by."""


def test_what_failed_is_gone_with_its_error() -> None:
    """A client that an act made goes as soon as nobody keeps its error, and not whenever memory is looked through:
    until then Kafka's connects again and again."""
    held: list[weakref.ref[Client]] = []

    def act() -> None:
        client = Client()
        held.append(weakref.ref(client))
        raise TargetUnreachable("nobody there")

    gc.collect()
    gc.disable()
    try:
        try:
            within(60, act, "asking")
        except TargetUnreachable as error:
            assert error.__traceback__ is not None
        else:
            pytest.fail("it raises what the act raised")
        until = time.monotonic() + 60
        while held[0]() is not None:  # the thread may be about to end
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        gc.enable()
