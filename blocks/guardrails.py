"""The block that says what experiments may do here."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field

from chaosday.errors import BlastRadiusExceeded, Halted, Refused
from chaosday.experiment import Experiment


class Guardrails(Block):
    """Limits that hold whatever an experiment file says; the stricter of the two wins."""

    _block_type_name = "chaosday guardrails"
    _block_type_slug = "chaosday-guardrails"
    _description = "What chaos experiments may do in this workspace, and to what."

    halted: bool = Field(
        default=False, description="The switch that stops everything: nothing is injected while it is on"
    )
    protected_names: list[str] = Field(default=[], description="Targets that no experiment may name")
    max_targets: int = Field(default=1, ge=1, le=1000, description="How many things one fault may affect")
    max_duration_s: int = Field(default=900, ge=1, description="Longest baseline, fault window and aftermath together")
    max_ttl_s: int = Field(
        default=300, ge=1, description="Longest lease: how long a fault may outlive its orchestrator"
    )

    def permit(self, experiment: Experiment) -> None:
        """Return if the experiment keeps within the limits; raise ``Refused`` with the limit's name if not."""
        if self.halted:
            raise Halted("the guardrails' halt switch is on: nothing is injected")
        named = sorted(set(self.protected_names) & set(experiment.targets))
        if named:
            raise Refused(f"protected_names: {', '.join(named)} may not be a target")
        if experiment.blast_radius.max_targets > self.max_targets:
            raise BlastRadiusExceeded(
                f"max_targets: the experiment allows itself {experiment.blast_radius.max_targets}, "
                f"the guardrails {self.max_targets}"
            )
        last_s = max((each.at_s for each in experiment.faults), default=0)
        length_s = experiment.baseline_s + last_s + experiment.fault_window_s + experiment.after_s
        if length_s > self.max_duration_s:
            raise Refused(
                f"max_duration_s: the experiment takes {length_s:g} s, the guardrails allow {self.max_duration_s} s"
            )
        for each in experiment.faults:
            if each.fault.ttl_s > self.max_ttl_s:
                raise Refused(
                    f"max_ttl_s: {each.fault.kind} asks for {each.fault.ttl_s:g} s, "
                    f"the guardrails allow {self.max_ttl_s} s"
                )
