"""Ending one fault and looking whether it is gone: the same for a run, its watchdog and ``recover``."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from chaosday.errors import AccessDenied, ChaosdayError, LeaseError, TargetUnreachable
from chaosday.model.clean import Clean, differences
from chaosday.model.fault import Fault, FaultPlan
from chaosday.model.target import Target
from chaosday.record.journal import Journal

_PAUSES_S = (0.2, 1.0)


class Attempt:
    """A block whose failure must not keep the next undo from being attempted; it is kept, in words.

    Interrupts are not kept: ``signals.StopSignals`` holds those back while undos run.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.error = ""
        self.away = False
        """Whether nobody answered, or we were refused: asking again at once helps nothing."""
        self.refused = False
        """Whether we were refused: each more question is a login that failed, and enough of them lock an account."""
        self.gone = False
        """Whether the answer was that the lease no longer stands."""

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
        self.refused = isinstance(error, AccessDenied)
        self.away = self.refused or isinstance(error, TargetUnreachable)
        self.gone = isinstance(error, LeaseError)
        return True


def undo(fault: Fault, target: Target, plan: FaultPlan, journal: Journal | None, by: str = "run") -> Clean:
    """Heal, look for residue, compare with the snapshot; never raises an error of the target or the fault.

    What fails while the target answers is tried again, twice, and what counts is how that ended. A target that refuses
    us is asked once. A journal that cannot be written (a full disk may be the fault) does not stop an undo either.
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
    retried, refused = _healed(fault, target, plan, errors, note)
    note("healed" if not errors else "heal_failed", errors=list(errors))
    residue, after = [], None
    if not refused:
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
        retried=retried,
        refused=refused,
    )
    note("clean" if seen.clean else "not_clean", clean=seen.model_dump(mode="json"))
    return seen


def _healed(
    fault: Fault, target: Target, plan: FaultPlan, errors: list[str], note: Callable[..., None]
) -> tuple[list[str], bool]:
    """What tries met that were followed by another, and whether we were refused; the last error goes to ``errors``."""
    retried: list[str] = []
    for pause_s in (*_PAUSES_S, None):
        tried = Attempt("heal")
        with tried:
            fault.heal(target, plan.lease)
        if not tried.error:
            break
        if tried.away or pause_s is None:
            errors.append(tried.error)
            break
        retried.append(tried.error)
        note("heal_again", error=tried.error, pause_s=pause_s)
        time.sleep(pause_s)
    return retried, tried.refused
