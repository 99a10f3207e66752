"""What reaches a run from Prefect while it is on: a cancellation, a suspension, a pause, the end of its worker."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.logging.loggers import get_logger

from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.safety.halting import HaltReading, HaltSwitch

GONE = (httpx.HTTPError, PrefectException, OSError, RuntimeError, ValueError)
"""What the client raises where the server is away, or is another one than it was made for."""
IGNORED = "a pause set from outside was ignored: a run cannot be held with a fault on; cancel it, or chaosday halt"
UNDER_WORKER = "PREFECT__FLOW_RUN_ID"
POLL_S = 0.2
PATIENCE_S = 2.0
JUDGING_S = 60.0
_pausing = threading.Event()
_heard = threading.Event()
"""The run knows that its worker has died."""


@contextmanager
def our_pause() -> Iterator[None]:
    """A pause of the run's own, in which a person is asked: nobody's order to stop."""
    _pausing.set()
    try:
        yield
    finally:
        _pausing.clear()


class PrefectOrders:
    """Asks what has become of the run's own flow run: whoever cancels or suspends it wants the fault to end.

    A plain pause is not one of these orders: nothing here could wait with a fault on. It is said, in the flow run's
    log and in the journal.
    """

    local = False

    def __init__(self, flow_run_id: UUID, journal: Path) -> None:
        self._id, self._journal, self._said = flow_run_id, journal, False

    def reading(self) -> HaltReading:
        ours = _pausing.is_set()
        state = state_of(self._id)
        if state is None:
            return HaltReading(halted=False)
        if state.is_cancelling() or state.is_cancelled():
            return HaltReading(halted=True, words="cancelled by somebody in Prefect")
        if is_suspended(state):
            words = "cancelled by a suspension in Prefect: a run cannot be held with a fault on"
            return HaltReading(halted=True, words=words)
        if state.is_paused() and not ours and not _pausing.is_set():
            self._say()
        return HaltReading(halted=False)

    def _say(self) -> None:
        if self._said:
            return
        self._said = True
        get_logger("flow_runs").warning(IGNORED, extra={"flow_run_id": str(self._id)})
        journal = Journal.resume(self._journal)
        try:
            journal.append("pause_ignored", why=IGNORED)
        finally:
            journal.close()


class WorkerWatch:
    """Ends the run when the worker that started it has died: an orphan is out of reach of everybody's cancel.

    As a switch it stops a run that is on, which then undoes, judges and reports; what does not ask it, and waits for a
    person, a lock or an aftermath, gets a signal a moment later.
    """

    local = True

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._over = threading.Event()

    def reading(self) -> HaltReading:
        if gone := self._gone():
            _heard.set()
        return HaltReading(halted=gone, words=f"cancelled by the death of its worker (process {self._parent})")

    def __enter__(self) -> WorkerWatch:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(POLL_S):
            if self._gone():
                over = self._over.wait(PATIENCE_S) or (_heard.is_set() and self._over.wait(JUDGING_S))
                if not over:
                    os.kill(os.getpid(), signal.SIGTERM)
                return

    def _gone(self) -> bool:
        return os.getppid() != self._parent


def orders_of(directory: RunDirectory) -> tuple[HaltSwitch, ...]:
    """The switches that Prefect itself is, to the flow run that we are in."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return ()
    asked = PrefectOrders(context.flow_run.id, directory.journal_path)
    return (asked, WorkerWatch()) if UNDER_WORKER in os.environ else (asked,)


def state_of(flow_run_id: UUID) -> State | None:
    """The flow run's state at the server; None where it does not say."""
    try:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(flow_run_id).state
    except GONE:
        return None


def is_suspended(state: State) -> bool:
    """Whether its process was told to leave and to be started again on resuming."""
    return state.is_paused() and state.name == "Suspended"
