"""What is drawn of a drill: its asks by channel, the crash states that they lead to, and the points that failed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from chaosday.drills.pipelines.attempts import END, Attempt
from chaosday.drills.pipelines.golden import Golden
from chaosday.drills.pipelines.points import BEFORE, Point

AT_MOST = 400
"""How many asks are drawn; of more than these, those that nothing happened at are left out, all but a sample."""
_TEXT = 200


def lanes(golden: Golden, attempts: Sequence[Attempt], seed: int) -> dict[str, Any]:
    """As evidence: each ask with its channel and the states before and after it, and how many are left out."""
    states = {point.left: number for number, point in enumerate(golden.states, start=1)}
    asks: dict[int, list[Point]] = {}
    for point in golden.points:
        asks.setdefault(point.number, []).append(point)
    tried = {int(each.point.partition(".")[0]) for each in attempts if each.point != END}
    told = {number for number, sides in asks.items() if number in tried or len({side.left for side in sides}) > 1}
    rest = sorted(set(asks) - told)
    told |= set(random.Random(seed).sample(rest, max(0, min(len(rest), AT_MOST - len(told)))))
    drawn = [
        {
            "number": number,
            "channel": asks[number][0].channel,
            "text": " ".join(asks[number][0].text.split())[:_TEXT],
            "before": states[next((p for p in asks[number] if p.side == BEFORE), asks[number][0]).left],
            "after": states[asks[number][-1].left],
        }
        for number in sorted(told)
    ]
    return {"asks": drawn, "left_out": len(asks) - len(drawn)}
