"""Whether a run may begin: halt switches, guardrails, lateness, and who else holds its targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chaosday.model.base import Model
from chaosday.model.intent import Intent
from chaosday.safety.fencing import Fences
from chaosday.safety.guardrails import Guardrails, lateness, moment_of
from chaosday.safety.halting import HaltFile, HaltSwitch, halted_by

LATE_TOLERANCE_S = 300.0


class Approved(Model):
    """Who asked, who agreed, to which kinds of faults, and why."""

    kinds: list[str]
    requested_by: str
    approver: str
    why: str


@dataclass(frozen=True)
class Permission:
    """Everything beside the run itself that decides whether it may hurt anything.

    ``scheduled_ns`` is when the run was due, on the wall clock; None for one that a person started.
    """

    switches: tuple[HaltSwitch, ...]
    fences: Fences
    guardrails: Guardrails | None = None
    scheduled_ns: int | None = None
    approved: Approved | None = None
    """A second person's consent, on record."""

    @classmethod
    def of(
        cls,
        runs: Path,
        *,
        switches: tuple[HaltSwitch, ...] = (),
        guardrails: Guardrails | None = None,
        scheduled_ns: int | None = None,
        approved: Approved | None = None,
    ) -> Self:
        """The halt file and the fences that all runs under ``runs`` share, and more switches beside them."""
        fences = Fences(runs / "fences")
        return cls((HaltFile(), *switches), fences, guardrails, scheduled_ns, approved)

    def refusals(self, intent: Intent, now_ns: int) -> list[str]:
        """Every reason why it may not begin; none is needed where nothing is hurt."""
        reasons = [words] if (words := halted_by(self.switches)) else []
        rails = self.guardrails
        tolerance_s = rails.late_tolerance_s if rails else LATE_TOLERANCE_S
        if words := lateness(self.scheduled_ns, now_ns, tolerance_s):
            reasons.append(words)
        # Production is refused even where nobody has set up guardrails.
        rails = rails or Guardrails(max_targets=10_000, max_duration_s=1e9, max_ttl_s=1e9)
        reasons += rails.refusals(intent, moment_of(now_ns))
        if missing := [kind for kind in rails.needs_approval(intent) if not self._agreed(kind)]:
            reasons.append(f"approval: a second person has to agree to {', '.join(missing)}, by name and with a reason")
        return reasons

    def refusals_of(self, affected: list[str]) -> list[str]:
        """Reasons that only show once it is known what the faults resolved to."""
        return self.guardrails.refusals_of(affected) if self.guardrails else []

    def _agreed(self, kind: str) -> bool:
        return self.approved is not None and kind in self.approved.kinds
