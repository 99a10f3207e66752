"""Which backup of a repository is restored: what its own program lists, and one of that, by age or by chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.model.base import Model

DAY_S = 86_400
LONGEST = 1_000


class OlderThan(Model):
    """The newest backup that is older than so many days."""

    older_than_days: float = Field(default=30, gt=0, le=36_500)


Pick = Literal["newest", "random"] | OlderThan


@dataclass(frozen=True)
class Backup:
    """``name`` is what its repository calls it; ``at_s`` is when it was taken, in seconds since 1970."""

    at_s: float
    name: str


def backups_of(text: str) -> list[Backup]:
    """What ``restic snapshots --json``, ``borg list --json`` or ``pgbackrest info --output=json`` printed, or lines of
    a time and a name; oldest first.

    A time is ISO 8601, UTC where it says no zone, or seconds since 1970, as ``find -printf '%T@ %p\\n'`` prints them.
    ``TargetUnreachable`` names the first line that is neither.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    try:
        found = _lines(text) if said is None or isinstance(said, int | float) else _objects(said)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise TargetUnreachable(
            "the listing names no backups: it is the JSON of restic, borg or pgBackRest, or lines of a time and a name"
        ) from None
    if bad := next(
        (each for each in found if not each.name or len(each.name) > LONGEST or not _plain(each.name)), None
    ):
        raise TargetUnreachable(f"the listing has a backup that cannot be named: {bad.name[:40]!r}")
    return sorted(found, key=lambda each: (each.at_s, each.name))


def picked(backups: Sequence[Backup], pick: Pick, seed: int, now_s: float) -> Backup:
    """The one to restore; ``TargetUnreachable`` where there is none like that."""
    if not backups:
        raise TargetUnreachable("the listing names no backup: there is nothing to restore")
    if isinstance(pick, OlderThan):
        old = [each for each in backups if now_s - each.at_s > pick.older_than_days * DAY_S]
        if not old:
            oldest = (now_s - backups[0].at_s) / DAY_S
            raise TargetUnreachable(
                f"no backup is older than {pick.older_than_days:g} days: the oldest of {len(backups)} is {oldest:.1f}"
            )
        return old[-1]
    return Random(seed).choice(list(backups)) if pick == "random" else backups[-1]


def _objects(said: Any) -> list[Backup]:
    if isinstance(said, dict):
        return [Backup(_seconds(each["start"]), str(each["name"])) for each in said["archives"]]
    found = []
    for each in said:
        if "backup" in each:
            done = [one for one in each["backup"] if not one.get("error")]
            found += [Backup(float(one["timestamp"]["stop"]), str(one["label"])) for one in done]
        else:
            found.append(Backup(_seconds(each["time"]), str(each["id"])))
    return found


def _lines(text: str) -> list[Backup]:
    split = [line.strip().split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [Backup(_seconds(when), name) for when, name in split]


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _plain(name: str) -> bool:
    return name.isprintable() and not name.startswith("-")
