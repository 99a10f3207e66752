"""Delivery: each piece of news to each receiver at least once, tried again the next time, given up after many.

What was delivered is kept in ``told-*.json`` beside the runs, replaced whole; two that deliver at once may tell a thing
twice, under one id, and never lose it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from chaosday.campaign.telling.news import News
from chaosday.campaign.telling.receiver import Receiver
from chaosday.errors import ChaosdayError
from chaosday.model.base import Model
from chaosday.processes.limits.within import within
from chaosday.record.outputs import replacing, unwritable
from chaosday.record.owned import read_owned

AT_MOST_S = 30.0
"""For one delivery; what a receiver does with its connection does not matter then."""
REMEMBERED = 50_000
"""So many of the latest ids are kept: 5 MB."""
IN_VAIN = 2
"""After so many a receiver is left alone until the next time."""


class Delivery(Model):
    """What became of one receiver's news: all of it, and the failures in words."""

    receiver: str
    told: int = 0
    waiting: int = 0
    given_up: list[str] = []
    why: str = ""


def deliver(receiver: Receiver, news: Sequence[News], folder: Path, tries: int) -> Delivery:
    """Tell one receiver what it has not been told; never raises for a receiver that is dead."""
    place = folder / f"told-{hashlib.sha256(receiver.identity().encode()).hexdigest()[:12]}.json"
    counts = _read(place)
    told, in_vain, why, given_up = 0, 0, "", []
    for each in news:
        tried = counts.get(each.id, 0)
        if tried < 0:
            continue
        if tried >= tries:
            given_up.append(each.words)
            continue
        if in_vain >= IN_VAIN:
            continue
        try:
            within(AT_MOST_S, lambda each=each: receiver.tell(each), receiver.name())  # type: ignore[misc]
        except ChaosdayError as error:
            counts[each.id], in_vain, why = tried + 1, in_vain + 1, str(error)
        else:
            counts[each.id] = -1
            told += 1
        # What is told of by another file to the same receiver is kept too, for as long as anybody may ask.
        _write(place, dict(list(counts.items())[-REMEMBERED:]))
    waiting = sum(0 <= counts.get(each.id, 0) < tries for each in news)
    return Delivery(receiver=receiver.name(), told=told, waiting=waiting, given_up=given_up, why=why)


def _read(place: Path) -> dict[str, int]:
    """Tries by id, -1 for what was taken. A file that cannot be believed means that all is told once more."""
    try:
        said = orjson.loads(read_owned(place))
        return {str(name): int(count) for name, count in said.items()}
    except (ChaosdayError, OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(place: Path, counts: dict[str, int]) -> None:
    try:
        with replacing(place) as file:
            file.write(orjson.dumps(counts))
    except OSError as error:
        raise unwritable(place, error) from None
