"""Whether a target answers: the plainest steady state there is."""

from __future__ import annotations

from typing import Literal

from chaosday.errors import ChaosdayError
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target


class Answers(Probe):
    """Healthy when the target can be reached, by its own protocol."""

    kind: Literal["answers"] = "answers"

    def read(self, target: Target) -> ProbeReading:
        try:
            words = target.reach()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=False, words=str(error).splitlines()[0])
        return ProbeReading(probe=self.kind, healthy=True, words=words)
