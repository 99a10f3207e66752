"""Whether two values are as near as was allowed: exactly, because a float64 has no digits for some of the values."""

from __future__ import annotations

from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from chaosday.data.reconcile import canonical

# Digits enough for the difference of any two float64; where even they would round, the values are far apart.
_EXACT = Context(prec=2_000, traps=[Inexact, InvalidOperation, Overflow])
_DAYS_IN_400_YEARS = 146_097


def within(left: str | None, right: str | None, tolerance: str) -> bool:
    """Whether two canonical texts are numbers, or times in seconds, that differ by no more than ``tolerance``."""
    if left is None or right is None:
        return False
    for measured in (_number, _moment, _time):
        one, other = measured(left), measured(right)
        if one is not None and other is not None:
            try:
                return abs(_EXACT.subtract(one, other)) <= Decimal(tolerance)
            except (Inexact, InvalidOperation, Overflow):
                return False
    return False


def _number(text: str) -> Decimal | None:
    written = canonical.number(text)
    return None if written is None else Decimal(written)


def _moment(text: str) -> Decimal | None:
    """Seconds since the year 1."""
    written = canonical.timestamptz(text)
    if written is None or "inf" in written:
        return None
    day, clock, *era = written.split(" ")
    year, month, of_month = (int(part) for part in day.split("-"))
    cycle, within_cycle = divmod(1 - year if era else year, 400)
    days = date(within_cycle + 400, month, of_month).toordinal() + cycle * _DAYS_IN_400_YEARS
    seconds = _seconds(clock)
    return seconds + days * 86_400


def _time(text: str) -> Decimal | None:
    written = canonical.time(text)
    if written is None:
        return None
    seconds = _seconds(written.removeprefix("-"))
    return -seconds if written.startswith("-") else seconds


def _seconds(clock: str) -> Decimal:
    hours, minutes, seconds = clock.split(":")
    return Decimal(seconds) + int(hours) * 3600 + int(minutes) * 60
