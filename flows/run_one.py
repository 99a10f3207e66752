"""One run of any kind as one flow run of this process, or, where it may not begin, without Prefect at all."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import sys
from dataclasses import dataclass, field
from typing import Any, Self

from chaosday.clock import SystemClock
from chaosday.errors import CapabilityMissing, Unavailable
from chaosday.judging.verdict import Verdict
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from chaosday.running.kind import Kind
from chaosday.running.playing import complete
from chaosday.running.run import Run
from chaosday.safety.guardrails import Guardrails
from chaosday.safety.permission import Permission
from flows.session import prefect_session
from flows.terminal import watching


@dataclass
class Runner:
    """Runs one after the other; Prefect is set up for the first that may begin, and ends with the block."""

    quiet: bool = False
    guardrails: Guardrails | None = None
    due_ns: int | None = None
    """When the runs were due, on the wall clock; None where a person started them."""
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _prefect: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, kind: Kind, directory: RunDirectory, **options: Any) -> Verdict:
        """One run; ``options`` are parameters of its flow. It is decided here whether it may begin at all."""
        runs, clock = directory.path.parent, SystemClock()
        permission = Permission.of(runs, guardrails=self.guardrails, scheduled_ns=self.due_ns)
        if permission.refusals(kind.intent(), clock.wall_ns()) or kind.gaps():
            with watching(quiet=self.quiet), Run(kind, directory, clock, permission=permission) as run:
                return complete(run)
        if not self._prefect:
            self._stack.enter_context(prefect_session())
            self._prefect = True
        if self.guardrails is not None:
            options["guardrails"] = _block(self.guardrails)
        return _as_flow(kind, directory, options, quiet=self.quiet)


def _as_flow(kind: Kind, directory: RunDirectory, options: dict[str, Any], *, quiet: bool) -> Verdict:
    """The flow of its kind, and the verdict that it left in the run directory."""
    from tasks.telling import RIM

    carried_out = flow_of(kind)
    try:
        with watching(quiet=quiet or kind.sealed):
            state = carried_out(kind.value, directory.path, **options, return_state=True)
    except RIM as error:
        # The last thing that a flow does is to tell its server how it ended.
        if not (directory.path / "verdict.json").is_file():
            raise Unavailable(
                f"Prefect cannot be reached, so that nothing was begun ({type(error).__name__})"
            ) from error
        print(f"the flow run could not be updated: Prefect is gone ({type(error).__name__})", file=sys.stderr)
    else:
        if state.name not in [outcome.value for outcome in Outcome]:
            state.result()  # raises what ended it
    return Verdict.model_validate(directory.read_json("verdict.json"))


def flow_of(kind: Kind) -> Any:
    """The flow of a kind: a function of its module's name, ``flows/NAME_drill.py`` or ``flows/NAME.py``."""
    for name in (f"{kind.kind}_drill", kind.kind):
        if importlib.util.find_spec(f"flows.{name}") is not None:
            return getattr(importlib.import_module(f"flows.{name}"), name)
    raise CapabilityMissing(f"runs of kind {kind.kind} have no flow here: flows/{kind.kind}.py")


def _block(limits: Guardrails) -> Any:
    """The same limits as flows take them. Forms have whole seconds; the exact ones were asked before."""
    from blocks.guardrails import Guardrails as Block

    whole = {name: math.ceil(getattr(limits, name)) for name in ("max_duration_s", "max_ttl_s", "late_tolerance_s")}
    return Block(**{name: getattr(limits, name) for name in type(limits).model_fields} | whole)
