"""Who notices planted damage: each class planted a few times, and counted where it was caught every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chaosday.judging.proof import all_corruptions
from chaosday.judging.verdict import judge_checks
from chaosday.model.check import Check
from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome


def of_store(store: str) -> list[Corruption]:
    return [corruption for corruption in all_corruptions() if store in corruption.stores]


def tally(
    corruptions: list[Corruption], evidence: Evidence, judges: dict[str, Callable[[Planted], bool]], repetitions: int
) -> dict[str, Any]:
    counted: dict[str, Any] = {"classes": 0, "equivalent": 0, **dict.fromkeys(judges, 0), "missed": []}
    for corruption in corruptions:
        plantings = []
        for seed in range(4 * repetitions):
            try:
                planted = corruption.plant(evidence, 1, np.random.default_rng(seed))
            except NotApplicable:
                break
            counted["equivalent"] += not planted.keys
            plantings += [planted] if planted.keys else []
            if len(plantings) == repetitions:
                break
        if not plantings:
            continue
        counted["classes"] += 1
        for name, sees in judges.items():
            every = all(sees(planted) for planted in plantings)
            counted[name] += every
            if name == "caught" and not every:
                counted["missed"].append(corruption.kind)
    return counted


def violated(checks: Sequence[Check], evidence: Evidence) -> bool:
    return any(finding.outcome is Outcome.VIOLATED for finding in judge_checks(checks, evidence))
