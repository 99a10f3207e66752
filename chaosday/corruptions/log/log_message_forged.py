"""A message that nobody sent."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.log_planting import LogCorruption, Mops


class LogMessageForged(LogCorruption):
    """Puts a value that nobody sent into polls, behind what each of them brought of a log."""

    kind: Literal["log_message_forged"] = "log_message_forged"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        brought = [(place, mops, at) for place, mops in self.polls(history) if (at := _brought(mops)) is not None]
        if len(brought) < size:
            raise NotApplicable(f"{len(brought)} polls brought something, {size} are needed")
        answers: dict[int, Mops] = {}
        keys: set[str] = set()
        for chosen in rng.choice(len(brought), size, replace=False):
            place, mops, at = brought[chosen]
            key, pairs = next((key, pairs) for key, pairs in mops[at][1].items() if pairs)
            forged = [*pairs, [None, f"forged {int(rng.integers(2**53))}"]]
            answers[place] = [*mops[:at], ["poll", {**mops[at][1], key: forged}], *mops[at + 1 :]]
            keys.add(key)
        return self.reanswered(evidence, answers, keys)


def _brought(mops: Mops) -> int | None:
    return next((n for n, mop in enumerate(mops) if mop[0] == "poll" and len(mop) == 2 and any(mop[1].values())), None)
