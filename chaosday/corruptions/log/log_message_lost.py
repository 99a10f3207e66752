"""An acknowledged message that no consumer is given, though later ones are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.log_planting import LogCorruption, Mops


class LogMessageLost(LogCorruption):
    """Takes messages out of every poll that brought them, below the highest that was polled of their log."""

    kind: Literal["log_message_lost"] = "log_message_lost"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        polls = self.polls(history)
        seen = {(key, offset) for _, mops in polls for key, offset in _seen(mops)}
        highest: dict[str, int] = {}
        for key, offset in seen:
            highest[key] = max(offset, highest.get(key, offset))
        below = sorted(one for one in seen if one[1] < highest[one[0]])
        if len(below) < size:
            raise NotApplicable(
                f"{len(below)} messages were polled that are not the last of their log, {size} are needed"
            )
        lost = {below[at] for at in rng.choice(len(below), size, replace=False)}
        answers = {place: _without(mops, lost) for place, mops in polls if lost & set(_seen(mops))}
        return self.reanswered(evidence, answers, {key for key, _ in lost})


def _seen(mops: Mops) -> list[tuple[str, int]]:
    maps = [mop[1] for mop in mops if mop[0] == "poll" and len(mop) == 2 and mop[1]]
    return [
        (key, pair[0]) for each in maps for key, pairs in each.items() for pair in pairs or () if pair[0] is not None
    ]


def _without(mops: Mops, lost: set[tuple[str, int]]) -> Mops:
    def kept(each: dict[str, Any]) -> dict[str, Any]:
        left = {key: [pair for pair in pairs if (key, pair[0]) not in lost] for key, pairs in each.items()}
        return {key: pairs for key, pairs in left.items() if pairs}

    return [["poll", kept(mop[1])] if mop[0] == "poll" and len(mop) == 2 and mop[1] else mop for mop in mops]
