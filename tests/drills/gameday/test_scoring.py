"""Seals, scores and the ledger: pure functions, checked against tables worked out by hand."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from chaosday.drills.gameday.board import Claim
from chaosday.drills.gameday.day import CaptureTheFlag, FlagOption
from chaosday.drills.gameday.outages import Outage, OutageLedger, trend
from chaosday.drills.gameday.scoring import PlayedFlag, score
from chaosday.drills.gameday.sealing import broken, draw, keep, opened, secret_seed

OPTIONS = [FlagOption(name=f"flag {n}", where=f"place {n}", fault={"kind": "process.pause"}) for n in range(6)]


def test_a_seed_draws_the_same_flags_and_never_the_same_commitments() -> None:
    """Repeatable for whoever knows the seed; a commitment tells nothing, because its salt is new each time."""
    flags = CaptureTheFlag(options=OPTIONS, draw=3)
    one, two, other = draw(flags, 7), draw(flags, 7), draw(flags, 8)
    assert [f.content() for f in one.flags] == [f.content() for f in two.flags]
    assert [f.content() for f in one.flags] != [f.content() for f in other.flags]
    assert len({f.name for f in one.flags}) == 3
    assert not set(one.commitments()) & set(two.commitments())


def test_every_option_is_drawn_sooner_or_later() -> None:
    """Over many secret seeds each option comes first at least once."""
    flags = CaptureTheFlag(options=OPTIONS, draw=1)
    assert {draw(flags, secret_seed()).flags[0].name for _ in range(300)} == {option.name for option in OPTIONS}


def test_seals_are_what_anybody_can_hash(tmp_path: Path) -> None:
    """SHA-256 of salt and content; one changed letter breaks that seal and no other; the file is ours alone."""
    sealed = draw(CaptureTheFlag(options=OPTIONS, draw=3), 1)
    keep(tmp_path / "secret", sealed)
    assert opened(tmp_path / "secret") == sealed and (tmp_path / "secret").stat().st_mode & 0o077 == 0
    first = sealed.flags[0]
    assert sealed.commitments()[0] == hashlib.sha256(bytes.fromhex(first.salt) + first.content()).hexdigest()
    changed = sealed.model_copy(
        update={"flags": [first, sealed.flags[1].model_copy(update={"where": "x"}), sealed.flags[2]]}
    )
    assert broken(sealed.commitments(), sealed) == [] and broken(sealed.commitments(), changed) == [2]
    assert broken(sealed.commitments()[:2], sealed) == [3]


S = 1_000_000_000
FLAGS = [
    PlayedFlag(
        number=1,
        name="a",
        where="db",
        kind="k",
        bit=True,
        began_ns=100 * S,
        ended_ns=200 * S,
        patience_s=100,
        accepted=9,
    ),
    PlayedFlag(number=2, name="b", where="net", kind="k", bit=True, began_ns=300 * S, ended_ns=400 * S, patience_s=100),
    PlayedFlag(
        number=3, name="c", where="net", kind="k", bit=False, began_ns=500 * S, ended_ns=600 * S, patience_s=100
    ),
]
# at, stage, place, number of the claim -> detected, localised, mitigated of flags 1 and 2, points, false alarms
TABLE = [
    ("nothing found", [(350, "mitigate", "", 1)], (None,) * 6, 0, 0),
    (
        "all of flag 1",
        [(110, "detect", "", 1), (120, "localise", "DB ", 2), (140, "mitigate", "", 9)],
        (10, 20, 40, None, None, None),
        95 + 90 + 80,
        0,
    ),
    ("localising detects", [(350, "localise", "net", 1)], (None, None, None, 50, 50, None), 150, 0),
    (
        "a wrong place costs, twice the same costs once",
        [(350, "localise", "db", 1), (351, "localise", "db", 2), (400, "localise", "net", 3)],
        (None, None, None, 100, 100, None),
        50 + 50 - 25,
        0,
    ),
    ("a mitigation that was not seen", [(140, "mitigate", "", 4)], (None,) * 6, 0, 0),
    ("a false alarm", [(50, "detect", "", 1), (550, "detect", "", 2)], (None,) * 6, -50, 2),
]


@pytest.mark.parametrize(("case", "claims", "times", "points", "alarms"), TABLE, ids=[row[0] for row in TABLE])
def test_a_team_is_scored(
    case: str, claims: list[tuple[int, str, str, int]], times: tuple[float | None, ...], points: float, alarms: int
) -> None:
    """By the times of its claims; a flag that did not bite is none, and what was said during it is a false alarm."""
    said = [Claim(team="red", stage=st, where=w, at_ns=at * S, seq=n) for at, st, w, n in claims]  # type: ignore[arg-type]
    (team,) = score(FLAGS, said)
    found = [t for flag in team.flags for t in (flag.detected_s, flag.localised_s, flag.mitigated_s)]
    assert (tuple(found), team.points, team.false_alarms) == (times, points, alarms)


def test_the_best_team_comes_first_and_claims_stay_apart() -> None:
    """One team's claims are worth nothing to the other."""
    claims = [Claim(team="red", stage="detect", at_ns=150 * S), Claim(team="blue", stage="detect", at_ns=110 * S)]
    assert [(team.team, team.points) for team in score(FLAGS, claims)] == [("blue", 95), ("red", 75)]


def ledger(before: int, since: int) -> OutageLedger:
    days = [date(2025, 1, 1)] * before + [date(2026, 2, 1)] * since
    outages = [Outage(day=day, system="orders", minutes=10) for day in days]
    return OutageLedger(first=date(2025, 1, 1), since=date(2026, 1, 1), outages=outages)


@pytest.mark.parametrize(
    ("before", "since", "times", "words"),
    [
        (0, 0, None, "nothing to compare"),
        (12, 6, 2, "is missed"),
        (2, 0, None, "too few"),
        (200, 2, 100, "is reached"),
        (12, 1, 12, "too few"),
    ],
)
def test_the_trend_knows_what_it_cannot_say(before: int, since: int, times: float | None, words: str) -> None:
    """Twice as few is not ten times; few incidents prove nothing; many do. Both years have 365 days."""
    found = trend(ledger(before, since), {"orders": 3}, date(2026, 12, 31))
    assert found is not None and words in found.words
    assert found.times_fewer == (pytest.approx(times) if times else None)
    assert (found.before.minutes, found.before.cost) == (before * 10, before * 30)


def test_costs_that_nobody_knows_are_not_zero() -> None:
    """An incident of an unknown system without a cost is counted as unpriced."""
    found = trend(ledger(3, 1), {}, date(2026, 12, 31))
    assert found is not None and (found.before.unpriced, found.since.unpriced, found.before.cost) == (3, 1, 0)
    assert trend(OutageLedger(), {}, date(2026, 1, 1)) is None
