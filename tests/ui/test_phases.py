"""In whichever phase of a run it comes: a cancellation, a suspension, a death of the run or of its worker.

Each takes a while of a real server and worker. One phase of each is always tried, all of them by
``pytest -m "slow or not slow" tests/ui/test_phases.py``.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.ui.hands import PHASES, Hands, ended_inconclusive, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]


UNDONE = ("rollback", "verify")
"""Phases in which no fault is on any more: what can wait is not listened to, and a signal ends them."""


def _phases(*apart: str, always: str = "") -> list[object]:
    """All phases but those ``apart``; one that is ``always`` tried."""
    names = [phase for phase in PHASES if phase not in apart]
    return [pytest.param(phase, marks=[] if phase == always else pytest.mark.slow) for phase in names]


@pytest.mark.parametrize("phase", _phases(always="hold"))
def test_a_cancelled_run_is_judged(hands: Hands, phase: str) -> None:
    """It ends by itself, and the flow run stays Cancelled, in the end under the name of the verdict: the worker that
    carries out the cancellation has its say after the run, and the janitor, whom that calls, after the worker."""
    run = hands.start(phase)
    run.reached(phase)
    hands.cancel(run)
    ended_inconclusive(run)
    until(lambda: not hands.tables(run), "no table is left")
    assert run.ended()["type"] == "CANCELLED"
    until(lambda: run.state()["name"] == "inconclusive", "the flow run is told")
    assert run.state()["type"] == "CANCELLED"
    assert run.directories() == [run.directory()]


@pytest.mark.parametrize("phase", _phases(always="hold"))
def test_a_run_ends_with_its_worker(hands: Hands, phase: str) -> None:
    """With its worker killed the run ends within seconds, judged; ``serve`` starts another worker."""
    run = hands.start(phase)
    run.reached(phase)
    worker = run.process().parent()
    assert worker is not None and "worker" in worker.cmdline()
    os.kill(worker.pid, signal.SIGKILL)
    ended_inconclusive(run, "stopped by SIGTERM" if phase in UNDONE else "cancelled by the death of its worker")
    until(lambda: run.state()["name"] == "inconclusive", "the flow run is told")
    until(lambda: not hands.tables(run), "no table is left")
    nowhere = hands.submit("connections", {**hands.form(), "database": {"host": "127.0.0.1", "port": 1}})
    assert nowhere.ended()["name"] == "inconclusive"


@pytest.mark.parametrize("phase", _phases(*UNDONE))
def test_a_suspended_run_is_judged_and_cannot_be_resumed(hands: Hands, phase: str) -> None:
    """A run cannot be held with a fault on: it ends, says so, and its flow run has ended."""
    run = hands.start(phase)
    run.reached(phase)
    hands.suspend(run)
    ended_inconclusive(run, "cancelled by a suspension")
    until(lambda: not hands.tables(run), "no table is left")
    state = run.ended()
    assert (state["type"], state["name"]) == ("FAILED", "inconclusive")
    assert len(run.directories()) == 1


@pytest.mark.slow
def test_a_suspension_comes_too_late_once_the_fault_is_undone(hands: Hands) -> None:
    """The run comes to its end, and its flow run has its verdict."""
    run = hands.start("rollback", after_s=60)
    run.reached("rollback")
    hands.suspend(run)
    outcome = run.verdict()["outcome"]
    assert outcome in ("pass", "inconclusive")
    until(lambda: not run.left(), "it has ended")
    assert run.ended()["name"] == outcome
    assert len(run.directories()) == 1


@pytest.mark.parametrize("phase", _phases())
def test_a_killed_run_is_judged_by_the_janitor(hands: Hands, phase: str) -> None:
    """Nothing of its own could judge it any more; whoever has the password takes away what it had made: the worker."""
    run = hands.start(phase)
    run.reached(phase)
    assert hands.tables(run)
    run.process().send_signal(signal.SIGKILL)
    ended_inconclusive(run, "cancelled")
    until(lambda: run.state()["name"] == "inconclusive", "the flow run is told")
    until(lambda: not hands.tables(run), "no table is left")
