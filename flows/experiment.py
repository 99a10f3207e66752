"""The experiment, as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocks.guardrails import Guardrails
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.model.experiment import Experiment
from chaosday.record.run_directory import runs_root
from chaosday.running.placebo import is_placebo_turn
from flows.approval import PATIENCE_S
from flows.attempt import run_flow
from flows.pipeline import Asked, carried_out


@run_flow(name="experiment", flow_run_name="{experiment.title}")
def experiment(
    experiment: Experiment,
    directory: Path | None = None,
    placebo: bool = False,
    placebo_every: int = 0,
    guardrails: Guardrails | None = None,
    requested_by: str = "",
    approval_wait_s: int = PATIENCE_S,
) -> Any:
    """Hurt a system on purpose, undo it, and say whether it lost, corrupted or contradicted any data.

    Args:
        experiment: What is believed, what will be hurt, and how damage would be seen.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        placebo: Do everything but inject. Damage that is found then convicts the tool.
        placebo_every: Make one in so many runs of this experiment a placebo; 0 for none.
        guardrails: What experiments may do here; without them only production is refused.
        requested_by: Who asks. Faults that need a second person wait for somebody else's consent in the UI.
        approval_wait_s: How long they wait, in seconds.
    """
    at_zero = placebo or is_placebo_turn(runs_root(), experiment.title, placebo_every, experiment.seed)
    asked = Asked(guardrails, requested_by, approval_wait_s)
    return carried_out(ExperimentKind(experiment), directory, asked, placebo=at_zero)
