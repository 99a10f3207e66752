"""A second person's consent: the run waits in Prefect until somebody else says yes, and why."""

from __future__ import annotations

from prefect import pause_flow_run
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput

from chaosday.model.intent import Intent
from chaosday.record.foreign_words import in_markdown
from chaosday.safety.guardrails import Guardrails
from chaosday.safety.permission import Approved
from flows.orders import our_pause

PATIENCE_S = 3600


class Approval(RunInput):
    """What the second person fills in at Resume."""

    approve: bool = False
    approver: str = ""
    why: str = ""


def approval_of(intent: Intent, limits: Guardrails, requested_by: str, wait_s: int) -> Approved | None:
    """Wait for consent where a fault needs it; None where none does, where nobody is named who asks (there is nobody
    to tell apart from the approver), or where consent did not come: the plan then says what is missing."""
    kinds = limits.needs_approval(intent)
    if not kinds or not requested_by.strip():
        return None
    words = (
        f"**{in_markdown(requested_by)}** asks to run *{in_markdown(intent.title)}*: "
        f"{in_markdown(', '.join(kinds))}. Approve it, with your name and why."
    )
    try:
        with our_pause():
            said = pause_flow_run(wait_for_input=Approval.with_initial_data(description=words), timeout=wait_s)
    except FlowPauseTimeout:
        return None
    return judged(said, kinds, requested_by)


def judged(said: Approval, kinds: list[str], requested_by: str) -> Approved | None:
    """Consent counts if it was given, by name, by somebody else, with a reason."""
    same = said.approver.strip().casefold() == requested_by.strip().casefold()
    if not said.approve or not said.approver.strip() or same or not said.why.strip():
        return None
    return Approved(
        kinds=kinds, requested_by=requested_by.strip(), approver=said.approver.strip(), why=said.why.strip()
    )
