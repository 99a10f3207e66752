"""Who is on call when: written in the game day's file, or exported as iCal by whatever keeps the schedule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, model_validator

from chaosday.errors import MalformedInput, UsageError
from chaosday.model.base import Model
from chaosday.record.inputs import refuse_special

LARGEST_BYTES = 16 << 20
MOST_SHIFTS = 20_000
"""Years of them; a file may repeat one for as long as it is."""
LAST_YEAR = 2999
"""Near the end of the calendar there are no times in other zones, and nobody is on call."""
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Shift(Model):
    """A person on call from ``start`` until ``end``, which is not included."""

    person: str = ""
    start: AwareDatetime = _NO_TIME
    end: AwareDatetime = _NO_TIME

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end < self.start:
            raise ValueError("a shift ends after it starts")
        if self.start.year < _NO_TIME.year - 1 or self.end.year > LAST_YEAR:
            raise ValueError(f"a shift lies between {_NO_TIME.year} and {LAST_YEAR}")
        return self

    def holds(self, moment: datetime) -> bool:
        """Whether it is this person's turn then."""
        return self.start <= moment < self.end


def shifts_in(path: Path, people: list[str]) -> list[Shift]:
    """The shifts of an iCal file (RFC 5545) of the people named, oldest first.

    A shift is whose name stands in its ATTENDEE or its SUMMARY ("On call: Ada"). ``MalformedInput`` for a file that is
    none, and for a rule of recurrence: schedules are exported shift by shift, and a rule read wrongly names the wrong
    person.
    """
    refuse_special(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > LARGEST_BYTES:
        raise MalformedInput(f"{path} is larger than {LARGEST_BYTES:,} bytes: export fewer months")
    text = raw.decode("utf-8", errors="replace")
    if "BEGIN:VCALENDAR" not in text:
        raise MalformedInput(f"{path} is no iCal file: it has no BEGIN:VCALENDAR")
    found = []
    for event in _events(text):
        if shift := _shift(event, people, path):
            found.append(shift)
        if len(found) > MOST_SHIFTS:
            raise MalformedInput(f"{path} has more than {MOST_SHIFTS:,} shifts: export fewer months")
    return sorted(found, key=lambda each: each.start)


def _events(text: str) -> Iterator[dict[str, tuple[str, str]]]:
    """Each event's first property of a name, as its parameters and its value; what is nested in it is left out."""
    inside: list[str] = []
    event: dict[str, tuple[str, str]] = {}
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        head, _, value = _split(line)
        name, _, parameters = head.partition(";")
        name = name.upper()
        if name == "BEGIN":
            inside.append(value.upper())
            event = {} if inside[-1] == "VEVENT" else event
        elif name == "END" and inside:
            if inside.pop() == "VEVENT":
                yield event
        elif inside and inside[-1] == "VEVENT":
            event.setdefault(name, (parameters, value))


def _split(line: str) -> tuple[str, str, str]:
    """At the first colon that stands in no quotes."""
    quoted = False
    for place, letter in enumerate(line):
        quoted ^= letter == '"'
        if letter == ":" and not quoted:
            return line[:place], ":", line[place + 1 :]
    return line, "", ""


def _shift(event: dict[str, tuple[str, str]], people: list[str], path: Path) -> Shift | None:
    said = " ".join(" ".join(event.get(name, ("", ""))) for name in ("ATTENDEE", "SUMMARY"))
    whose = [each for each in people if re.search(rf"(?<!\w){re.escape(each)}(?!\w)", said, re.IGNORECASE)]
    if not whose or event.get("STATUS", ("", ""))[1].upper() == "CANCELLED":
        return None
    if len(whose) > 1:
        raise MalformedInput(f"{path}: one shift names {' and '.join(whose)}: export it one person a shift")
    if "RRULE" in event:
        raise MalformedInput(f"{path}: a shift of {whose[0]} recurs by a rule: export the schedule shift by shift")
    if "DTSTART" not in event or "DTEND" not in event:
        raise MalformedInput(f"{path}: a shift of {whose[0]} lacks its DTSTART or its DTEND")
    start, end = (_moment(*event[name], path) for name in ("DTSTART", "DTEND"))
    if end < start:
        raise MalformedInput(f"{path}: a shift of {whose[0]} ends before it starts")
    try:
        return Shift(person=whose[0], start=start, end=end)
    except ValueError as error:
        why = " ".join(str(error).splitlines()[1:2]).partition("[type=")[0].strip()
        raise MalformedInput(f"{path}: a shift of {whose[0]}: {why}") from None


def _moment(parameters: str, value: str, path: Path) -> datetime:
    zone = re.search(r'TZID="?([^";]+)', parameters)
    try:
        known = ZoneInfo(zone[1]) if zone else UTC
        if re.fullmatch(r"\d{8}", value):
            return datetime.combine(date.fromisoformat(value), time(), known)
        return datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S").replace(
            tzinfo=UTC if value.endswith("Z") else known
        )
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MalformedInput(f"{path}: {value[:40]!r} in the zone {zone[1] if zone else 'UTC'!r} is no time") from None
