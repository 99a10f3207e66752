"""What each team's claims are worth: pure, from the flags as they were played and the board; repeatable by anybody."""

from __future__ import annotations

from collections.abc import Sequence

from chaosday.drills.gameday.board import Claim
from chaosday.model.base import Model

FULL_POINTS = 100
"""For a stage reached at once; at the end of a flag's patience it is half."""
WRONG_POINTS = 25
"""Taken for naming a wrong place, and for detecting something while no flag was hidden."""


class PlayedFlag(Model):
    """One flag as it was played: hurt from ``began_ns`` until it was undone at ``ended_ns`` (wall clock).

    ``accepted`` is the number of the claim whose mitigation was seen by measuring, None where there was none.
    """

    number: int
    name: str
    where: str
    kind: str
    bit: bool = False
    why: str = ""
    began_ns: int = 0
    ended_ns: int = 0
    patience_s: float = 0
    accepted: int | None = None


class FlagScore(Model):
    """What one team made of one flag; times in seconds after it began to hurt, None where it did not get there."""

    team: str
    flag: int
    detected_s: float | None = None
    localised_s: float | None = None
    mitigated_s: float | None = None
    wrong_places: int = 0
    points: float = 0


class TeamScore(Model):
    """All of a team's flags; false alarms are claims to have detected something while nothing was hidden."""

    team: str
    points: float
    captured: int
    """Flags that it detected, localised and mitigated."""
    false_alarms: int
    flags: list[FlagScore]


def score(played: Sequence[PlayedFlag], claims: Sequence[Claim]) -> list[TeamScore]:
    """The teams, best first. A flag that did not bite is no flag: it gives and takes nothing."""
    teams = sorted({claim.team for claim in claims})
    hidden = [flag for flag in played if flag.bit]
    found = [_team(team, hidden, [claim for claim in claims if claim.team == team]) for team in teams]
    return sorted(found, key=lambda each: (-each.points, each.team))


def _team(team: str, hidden: Sequence[PlayedFlag], claims: Sequence[Claim]) -> TeamScore:
    flags = [_flag(team, flag, [c for c in claims if flag.began_ns <= c.at_ns <= flag.ended_ns]) for flag in hidden]
    alarms = sum(
        claim.stage != "mitigate" and not any(flag.began_ns <= claim.at_ns <= flag.ended_ns for flag in hidden)
        for claim in claims
    )
    return TeamScore(
        team=team,
        points=round(sum(flag.points for flag in flags) - WRONG_POINTS * alarms, 1),
        captured=sum(None not in (flag.detected_s, flag.localised_s, flag.mitigated_s) for flag in flags),
        false_alarms=alarms,
        flags=flags,
    )


def _flag(team: str, flag: PlayedFlag, claims: Sequence[Claim]) -> FlagScore:
    """To name the right place is to have detected it; to mitigate counts only where the effect was seen to be gone."""
    named = [claim for claim in claims if claim.stage == "localise"]
    right = [claim for claim in named if claim.where.strip().casefold() == flag.where.strip().casefold()]
    noticed = [claim for claim in claims if claim.stage == "detect"] + right[:1]
    mitigated = [claim for claim in claims if claim.seq == flag.accepted]
    times = {
        "detected_s": _first(noticed, flag),
        "localised_s": _first(right, flag),
        "mitigated_s": _first(mitigated, flag),
    }
    wrong = len({claim.where.strip().casefold() for claim in named} - {flag.where.strip().casefold()})
    points = sum(FULL_POINTS * (1 - min(t / flag.patience_s, 1) / 2) for t in times.values() if t is not None)
    return FlagScore(
        team=team, flag=flag.number, **times, wrong_places=wrong, points=round(points - WRONG_POINTS * wrong, 1)
    )


def _first(claims: Sequence[Claim], flag: PlayedFlag) -> float | None:
    return min((claim.at_ns - flag.began_ns for claim in claims), default=0) / 1e9 if claims else None
