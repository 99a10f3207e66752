"""The rehearsal: each fault injected for a moment and undone, before anybody trusts its undo with the full dose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chaosday.errors import Refused
from chaosday.model.fault import FaultPlan
from chaosday.record.journal import Journal
from chaosday.running.lifecycle import Lifecycle


def rehearse(lifecycle: Lifecycle, plans: Sequence[FaultPlan], wait: Callable[[], None], journal: Journal) -> None:
    """Walk a second life of each planned fault, ``wait`` in its middle; ``Refused`` where one does not end clean.

    Harm that lasts by design has no small dose, and is not rehearsed.
    """
    for planned in plans:
        fault = lifecycle.fault_of(planned)
        if fault.irreversible or planned.lasting:
            continue
        small = lifecycle.plan(fault)
        lifecycle.arm(small)
        lifecycle.inject(small)
        wait()
        seen = lifecycle.heal(small)
        journal.append("rehearsed", fault=fault.kind, clean=seen.clean)
        if not seen.clean:
            raise Refused(f"the rehearsal of {seen.words}; the full dose is not given")
