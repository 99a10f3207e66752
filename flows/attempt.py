"""One flow run is one run: it is judged once, whatever Prefect or a person does to start it again."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect._flow_run_suspension import FlowRunSuspensionRequest
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.states import Cancelled, Completed, Failed

from chaosday.drills.abandoned import conclude_abandoned
from chaosday.errors import EvidenceMissing
from chaosday.judging.verdict import Verdict
from chaosday.model.finding import Outcome
from chaosday.record.journal import read
from chaosday.record.owner import owner_lives
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.running.signals import Stopped
from chaosday.undo.recovery import recover
from flows.orders import GONE, IGNORED, UNDER_WORKER, WorkerWatch, is_suspended, state_of
from flows.strict import StrictFlow
from tasks.telling import regain_patience

NOTE = "flow_run.json"
FINAL = "a verdict is final, and nothing was run again: to run it once more, start a new flow run"


def run_flow(**options: Any) -> Callable[[Callable[..., Any]], StrictFlow[..., Any]]:
    """Make a flow of a function that carries out one run of ours and returns its state; ``options`` as of ``flow``."""

    def made(fn: Callable[..., Any]) -> StrictFlow[..., Any]:
        @functools.wraps(fn)
        def once(*args: Any, **parameters: Any) -> Any:
            context = FlowRunContext.get()
            if context is None or context.flow_run is None:
                return fn(*args, **parameters)
            regain_patience()
            if (answer := _answered_before(context.flow_run, parameters.get("directory"))) is not None:
                return answer
            _forgo_retries(context.flow_run)
            with _as_one_run(context):
                try:
                    state = fn(*args, **parameters)
                except Stopped:
                    # At a terminal the signal goes on to whoever pressed the key; a worker wants to know the verdict.
                    if UNDER_WORKER not in os.environ or (state := _verdict_of(context.flow_run)) is None:
                        raise
            return _told(context.flow_run, state)

        # Prefect looks up what annotations name where the function was made, and this one was made here.
        once.__signature__ = inspect.signature(fn, eval_str=True)  # type: ignore[attr-defined]
        once.__annotations__ = inspect.get_annotations(fn, eval_str=True)
        return StrictFlow(once, retries=0, persist_result=False, **options)

    return made


def as_state(verdict: Verdict) -> Any:
    """A run is Completed only when it passed; its verdict is the name of its state."""
    state = Completed if verdict.outcome is Outcome.PASS else Failed
    more = "; ".join(verdict.reasons[1:])
    return state(name=verdict.outcome.value, message=f"{verdict.words} {more}"[:1000].strip())


def remember(directory: RunDirectory) -> None:
    """Note in the run directory whose flow run's evidence it is."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        directory.write_json(NOTE, {"id": str(context.flow_run.id), "name": context.flow_run.name})


def flow_run_of(directory: Path) -> str:
    """The id of the flow run whose evidence it is; empty where there was none."""
    try:
        return str(RunDirectory(directory).read_json(NOTE)["id"])
    except EvidenceMissing:
        return ""


def directories_of(flow_run: FlowRun, named: Path | None = None) -> list[RunDirectory]:
    """The run directories of a flow run under the folder of runs, or where it was told to keep its evidence."""
    folders = [note.parent for note in sorted(runs_root().glob(f"*/{NOTE}"))] + ([Path(named)] if named else [])
    return [RunDirectory(each) for each in folders if flow_run_of(each) == str(flow_run.id)]


def because(directory: RunDirectory) -> str:
    """What Prefect knows of how a run ended that has no verdict; empty where it knows nothing."""
    if not (known := flow_run_of(directory.path)):
        return ""
    state = state_of(UUID(known))
    if state is None or state.is_running():
        return ""
    return f"cancelled: Prefect calls its flow run {state.name}" + (f" ({state.message})" if state.message else "")


def tell_flow_run(directory: RunDirectory) -> None:
    """Give a flow run that has not ended, or only crashed, the verdict of its evidence; what cannot be told is not."""
    known = flow_run_of(directory.path)
    state = state_of(UUID(known)) if known and (directory.path / "verdict.json").is_file() else None
    outcomes = [outcome.value for outcome in Outcome]
    if state is None or state.name in outcomes or state.is_completed() or state.is_failed():
        return
    verdict = Verdict.model_validate(directory.read_json("verdict.json"))
    said = as_state(verdict)
    if state.is_cancelling() or state.is_cancelled():
        said = Cancelled(name=said.name, message=said.message)
    _force(UUID(known), said)


def _answered_before(flow_run: FlowRun, named: Path | None) -> Any:
    """The answer of a flow run that has been started before: a retry, a resumed suspension; None for a first start."""
    if flow_run.run_count <= 1:
        return None
    earlier = directories_of(flow_run, named)
    if not earlier:
        words = f"start {flow_run.run_count} of this flow run, and there is no evidence here of what the first one did"
        return Failed(name="refused", message=f"{words}; a run never injects twice: start a new flow run")
    last = earlier[-1]
    if last.journal_path.is_file():
        if owner_lives(read(last.journal_path)):
            return Failed(
                name="refused", message=f"its first start still runs in {last.run}; a run never injects twice"
            )
        recover([last.journal_path])
        conclude_abandoned([last.journal_path], lambda _: f"cancelled: start {flow_run.run_count} found it dead")
    if (state := _verdict_of(flow_run, named)) is None:
        return Failed(name="refused", message=f"{last.run} has no verdict yet: chaosday recover; {FINAL}")
    state.message = f"the verdict of {last.run} stands: {state.message} ({FINAL})"
    get_run_logger().warning(state.message)
    return state


def _verdict_of(flow_run: FlowRun, named: Path | None = None) -> Any:
    for directory in reversed(directories_of(flow_run, named)):
        if (directory.path / "verdict.json").is_file():
            return as_state(Verdict.model_validate(directory.read_json("verdict.json")))
    return None


def _forgo_retries(flow_run: FlowRun) -> None:
    policy = flow_run.empirical_policy
    if not policy.retries:
        return
    get_run_logger().warning(
        "%s retries were set on this flow run; they are taken off it, because a verdict is final", policy.retries
    )
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, empirical_policy=policy.model_copy(update={"retries": 0}))


@contextmanager
def _as_one_run(context: FlowRunContext) -> Iterator[None]:
    """Nothing of Prefect's ends it half-way: a suspension would stop the task that undoes the fault from starting.

    Whoever suspends a run is heard all the same, as one that wants it to end (``PrefectOrders``).
    """
    _outlive_readers()
    with ExitStack() as stack:
        stack.enter_context(context.model_copy(update={"flow_run_suspension_request": FlowRunSuspensionRequest()}))
        if UNDER_WORKER in os.environ:
            stack.enter_context(WorkerWatch())
        yield


def _outlive_readers() -> None:
    """What shows Prefect's log lines exits when nobody reads them; a run whose worker has died has to judge first."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in (each for logger in loggers for each in getattr(logger, "handlers", ())):
        if isinstance(handler, PrefectConsoleHandler):
            console = handler.console
            console.on_broken_pipe = lambda console=console: setattr(console, "quiet", True)  # type: ignore[method-assign, misc]


def _told(flow_run: FlowRun, state: Any) -> Any:
    """The state as it ends: where the server has put the flow run aside meanwhile, that is said and overruled."""
    now = state_of(flow_run.id)
    if now is None or not (now.is_paused() or now.is_cancelling() or now.is_cancelled()):
        return state
    if now.is_cancelling() or now.is_cancelled():
        state = Cancelled(name=state.name, message=state.message)
    elif not is_suspended(now):
        state.message = f"{state.message} ({IGNORED})"
    _force(flow_run.id, state)
    return state


def _force(flow_run_id: UUID, state: Any) -> None:
    try:
        with get_client(sync_client=True) as client:
            # The client notes the flow run in the state, and Prefect takes what has such a note for somebody else's.
            client.set_flow_run_state(flow_run_id, state.model_copy(deep=True), force=True)
    except GONE as error:
        get_run_logger().warning("the flow run could not be updated (%s): %s", type(error).__name__, state.message)
