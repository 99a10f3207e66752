"""Exactly once, or in which crash states not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaosday.checks.exactly_once import ExactlyOnce
from chaosday.errors import MalformedInput
from chaosday.judging.proof import prove, sight_of
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from tests.judging import planting

pytestmark = pytest.mark.kernel


def attempt(point: str, state: int, *damage: str, hit: bool = True) -> dict[str, Any]:
    differences = [{"output": "shop.public.orders", "kind": kind, "rows": 2, "sample": []} for kind in damage]
    return {"point": point, "state": state, "hit": hit, "why": "not reached", "differences": differences}


def seen(*attempts: dict[str, Any], **changed: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "attempts": list(attempts),
        "planted": [{"output": "shop.public.orders", "damage": "lost", "told": True, "said": ""}],
        "audit": {"run": 0, "agree": 0, "disagreeing": []},
        "coverage": {"not_covered": {}},
    }
    return said | changed


SOUND = (attempt("1.before", 1), attempt("3.after", 2), attempt("end", 2))
CASES: list[tuple[dict[str, Any], Outcome, str]] = [
    (seen(*SOUND), Outcome.PASS, ""),
    (seen(), Outcome.INCONCLUSIVE, "nothing was examined"),
    (seen(*SOUND, attempt("4.after", 3, "duplicated")), Outcome.VIOLATED, "of 3 crash states leave shop.public.orders"),
    (seen(*SOUND, attempt("4.after", 3, hit=False)), Outcome.INCONCLUSIVE, "4.after was not hit: not reached"),
    (seen(*SOUND, planted=[]), Outcome.INCONCLUSIVE, "no damage was planted"),
    (
        seen(*SOUND, planted=[{"output": "o", "damage": "lost", "told": False, "said": "nothing"}]),
        Outcome.INCONCLUSIVE,
        "the comparison is blind",
    ),
    (
        seen(*SOUND, coverage={"not_covered": {"10.0.0.5:443": 2}}),
        Outcome.INCONCLUSIVE,
        "not covered: 2 connections to 10.0.0.5:443",
    ),
    (seen(*SOUND, audit={"disagreeing": ["2.after"]}), Outcome.INCONCLUSIVE, "states do not hold"),
    (seen(*SOUND, doubts=["only point 1.before was run"]), Outcome.INCONCLUSIVE, "only point"),
]


@pytest.mark.parametrize(("said", "outcome", "words"), CASES)
def test_it_passes_only_where_all_was_seen(said: dict[str, Any], outcome: Outcome, words: str, tmp_path: Path) -> None:
    """Damage convicts whatever else was missed; short of damage each gap is a reason of its own."""
    finding = ExactlyOnce().judge(Evidence(tmp_path).replaced(observations={"pipeline": said}))
    assert finding.outcome is outcome
    assert words in " ".join([*finding.reasons, *(anomaly.name for anomaly in finding.anomalies)])


def test_states_are_counted_and_points_are_named(tmp_path: Path) -> None:
    """Two points of one state are one crash state; both are keys."""
    said = seen(*SOUND, attempt("4.after", 3, "lost"), attempt("5.before", 3, "lost"))
    finding = ExactlyOnce().judge(Evidence(tmp_path).replaced(observations={"pipeline": said}))
    ((count, keys),) = [(anomaly.count, anomaly.keys) for anomaly in finding.anomalies]
    assert (count, keys, finding.examined) == (1, ["4.after", "5.before"], 3)


def test_it_is_shown_to_see(tmp_path: Path) -> None:
    """Planted attempts are noticed and named, and a drill that found nothing stays silent."""
    evidence = Evidence(tmp_path).replaced(observations={"pipeline": seen(*SOUND)})
    matrix = prove(evidence, [ExactlyOnce()], repetitions=1)
    assert sight_of(matrix, None).proven, matrix


def test_another_observation_is_refused(tmp_path: Path) -> None:
    """What is no pipeline drill's is said to be none."""
    with pytest.raises(MalformedInput, match="not what a pipeline drill saw"):
        ExactlyOnce().judge(Evidence(tmp_path).replaced(observations={"pipeline": {"attempts": 3}}))


def test_each_point_of_another_way_counts_and_is_told_with_its_own_causes() -> None:
    """Two cut connections that end in one state are two; a cause of crash states is none of theirs."""
    cut = [{**attempt(point, 1, "duplicated"), "way": "cut"} for point in ("1.cut", "2.cut")]
    damage = [["shop.public.orders", "duplicated"]]
    causes = [
        {"damage": damage, "what": "cut connections", "words": "asked again"},
        {"damage": damage, "what": "crash states", "words": "crashed"},
        {"damage": damage, "words": "crashed, in the words of old"},
    ]
    finding = ExactlyOnce().judge(
        Evidence(planting.NOWHERE).replaced(observations={"pipeline": seen(*SOUND, *cut, causes=causes)})
    )
    (anomaly,) = finding.anomalies
    assert (anomaly.count, [each["words"] for each in anomaly.detail]) == (2, ["asked again"])
    assert anomaly.name.startswith("of 2 cut connections leave")
