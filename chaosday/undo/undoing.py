"""Ending one fault and looking whether it is gone: the same for a run, its watchdog and ``recover``."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from chaosday.errors import ChaosdayError
from chaosday.model.clean import Clean, differences
from chaosday.model.fault import Fault, FaultPlan
from chaosday.model.target import Target
from chaosday.record.journal import Journal


class Attempt:
    """A block whose failure must not keep the next undo from being attempted; it is kept, in words.

    Interrupts are not kept: ``signals.StopSignals`` holds those back while undos run.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.error = ""

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        said = str(error).splitlines() or [""]
        named = said[0] if isinstance(error, ChaosdayError) else f"{type(error).__name__}: {said[0]}"
        self.error = f"{self._what}: {named}"
        return True


def undo(fault: Fault, target: Target, plan: FaultPlan, journal: Journal | None, by: str = "run") -> Clean:
    """Heal, look for residue, compare with the snapshot; never raises an error of the target or the fault.

    A journal that cannot be written (a full disk may be the fault) does not stop an undo either.
    """
    lease = plan.lease
    errors: list[str] = []

    def attempt(what: str, act: Callable[[], Any], otherwise: Any = None) -> Any:
        tried, said = Attempt(what), otherwise
        with tried:
            said = act()
        if tried.error:
            errors.append(tried.error)
        return said

    def note(event: str, **data: Any) -> None:
        if journal is not None:
            attempt("journal", lambda: journal.append(event, lease_id=lease.id, **data))

    note("healing", by=by)
    attempt("heal", lambda: fault.heal(target, lease))
    note("healed" if not errors else "heal_failed", errors=list(errors))
    residue = attempt("residue", lambda: fault.residue(target, lease), [])
    after = attempt("snapshot", lambda: fault.snapshot(target, plan))
    changed, lasting = differences(plan.snapshot, after, plan.lasting) if after is not None else ([], {})
    seen = Clean(
        lease_id=lease.id,
        fault=fault.kind,
        target=lease.target,
        residue=residue,
        changed=changed,
        lasting=lasting,
        errors=errors,
    )
    note("clean" if seen.clean else "not_clean", clean=seen.model_dump(mode="json"))
    return seen
