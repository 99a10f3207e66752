"""Fetching what Kafka is made of: one process at a time, in bounded time, and said meanwhile."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

import pytest

from chaosday.errors import CapabilityMissing
from chaosday.lab import kafka_jars
from chaosday.progress import listening

pytestmark = pytest.mark.kernel


def test_what_takes_too_long_is_something_that_is_missing() -> None:
    """In one line, which says how it is tried again, and no defect."""
    with pytest.raises(
        CapabilityMissing, match=r"Maven did not fetch within 0\.1 s; python -m chaosday\.lab\.kafka_jars"
    ):
        kafka_jars._ran([sys.executable, "-c", "import time; time.sleep(600)"], 0.1, "Maven did not fetch")


def test_another_that_fetches_is_waited_for_so_long_and_said(tmp_path: Path) -> None:
    """Its lock is asked for again and again: a wait can be ended, and one without an end does."""
    lock, heard = tmp_path / "kafka.lock", list[str]()
    with lock.open("w") as held, listening(lambda step: heard.append(step.words)):
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CapabilityMissing, match="another process holds"), kafka_jars._alone(lock, 0.1):
            raise AssertionError
        assert heard == ["waiting for another process that fetches Kafka's jars"]
    with kafka_jars._alone(lock, 0.1):
        assert len(heard) == 1
