"""A server of the lab is waited for while it starts, and no longer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chaosday.errors import TargetUnreachable
from chaosday.servers.server import START_S, Server


def _silent() -> None:
    raise TargetUnreachable("nobody answers")


def test_a_server_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    """A process that dies while it starts is said at once, with its last words, and not after all the patience."""
    began = time.monotonic()
    with pytest.raises(TargetUnreachable, match="ended while it started; its log ends: no such option"):
        Server("broken", ["sh", "-c", "echo no such option; exit 1"], tmp_path).start(_silent)
    assert time.monotonic() - began < START_S


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """One that runs and never answers is given up after its time, and can be ended by its pid."""
    server = Server("silent", ["sleep", "600"], tmp_path)
    with pytest.raises(TargetUnreachable, match="did not start: nobody answers"):
        server.start(_silent, timeout_s=0.2)
    server.stop()
