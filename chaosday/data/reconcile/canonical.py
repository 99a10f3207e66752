"""Canonical forms: for each kind the one text that a value has, whatever engine it was read from.

Every function takes a value's text and gives its canonical text, or None where the text is no such
value *to the last character*: nothing is rounded, cut, converted or guessed. ``tests/data/reconcile/
test_canonical.py`` is the table that every engine's reader has to meet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date as calendar_date
from decimal import ROUND_HALF_EVEN, Context, Decimal

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_NO_NUMBER = re.compile(r"([+-]?)(?:(nan)|(inf|infinity))", re.IGNORECASE)
MOST_PLAIN_DIGITS = 400
_DATE = r"([0-9]{4,7})-([0-9]{2})-([0-9]{2})"
_CLOCK = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
_BC = r"(?P<bc> BC| \(BC\))?"
_OFFSET = r"(Z|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)"
_DATE_ONLY = re.compile(_DATE + _BC)
_TIME_ONLY = re.compile(r"(-?)([0-9]{1,3}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?")
_TIME_WITH_OFFSET = re.compile(rf"{_CLOCK} ?{_OFFSET}")
# DuckDB writes the era after the date, PostgreSQL after everything.
_MOMENT = re.compile(rf"{_DATE}(?P<era> \(BC\))?[ T]{_CLOCK}(?: ?(?P<offset>Z|[+-][0-9:]+))?{_BC}")
_UUID = re.compile(r"(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?")
_UNENDING = {"infinity": "infinity", "+infinity": "infinity", "-infinity": "-infinity"}
_TRUE = {"true", "t", "1", "yes", "y", "on"}
_FALSE = {"false", "f", "0", "no", "n", "off"}


def boolean(text: str) -> str | None:
    """``true`` or ``false``, as people and engines write them, in any case."""
    word = text.lower()
    return "true" if word in _TRUE else "false" if word in _FALSE else None


def number(text: str) -> str | None:
    """A number without exponent, leading ``+`` and superfluous zeros: 1.50, 15e-1 and 1.5 are ``1.5``."""
    if not _NUMBER.fullmatch(text):
        return _no_number(text)
    value = Decimal(text)
    if not value:
        return "0"
    sign, digits, exponent = value.as_tuple()
    kept = "".join(map(str, digits)).rstrip("0")
    # What is plain and what is not depends on the number alone, and on none of the zeros in its spelling.
    last = int(exponent) + len(digits) - len(kept)
    if max(len(kept) + max(last, 0), -last) > MOST_PLAIN_DIGITS:
        return f"{'-' if sign else ''}{kept}e{last}"
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _no_number(text: str) -> str | None:
    found = _NO_NUMBER.fullmatch(text)
    if found is None:
        return None
    return "nan" if found[2] else "-inf" if found[1] == "-" else "inf"


def float_as_number(text: str) -> str | None:
    """A float64's text as a number: exact where it is whole (2^60 is 1152921504606846976), else its shortest."""
    value = float(text)
    if value == 0:
        return "-0" if text.startswith("-") else "0"
    return str(int(value)) if value.is_integer() else number(repr(value))


def shortest_number(text: str) -> str | None:
    """A float64's text as the shortest number that reads back as it, with the sign of a zero."""
    return "-0" if float(text) == 0 and text.startswith("-") else number(repr(float(text)))


def spelled_float(text: str) -> float | None:
    """The float64 that a text spells, with as many digits as it likes, as long as all of them are the float's.

    0.1 and 0.1000000000000000055511 spell the same one; 0.10000000000000000001 and 1e-400 spell none.
    """
    if not _NUMBER.fullmatch(text):
        word = _no_number(text)
        return None if word is None else float(word)
    return _if_spelled(Decimal(text), float(text), repr)


def exact_float(text: str) -> float | None:
    """The float64 that is the same as a number of an exact type: a whole one to its last digit, else as spelled."""
    value = spelled_float(text)
    if value is None or not value.is_integer():
        return value
    return value if Decimal(value) == Decimal(text) else None


def spelled_float32(text: str) -> float | None:
    """``spelled_float`` for four bytes."""
    import numpy as np

    if not _NUMBER.fullmatch(text):
        return spelled_float(text)
    with np.errstate(over="ignore"):
        near = np.float32(float(text))
        around = [np.nextafter(near, np.float32(to)) for to in ("-inf", "inf")]
    exact = Decimal(text)
    # Through a float64 a number may be rounded twice; its neighbours are asked as well.
    finite = [one for one in (near, *around) if np.isfinite(one)]
    best = min(finite, key=lambda one: abs(Decimal(float(one)) - exact), default=near)
    if not np.isfinite(near) or best == 0:
        best = near
    return _if_spelled(exact, float(best), shortest_float32)


def shortest_float32(value: float) -> str:
    """The shortest text that reads back as the same four bytes."""
    import numpy as np

    return str(np.float32(value))


def exact_float32(text: str) -> float | None:
    """``exact_float`` for four bytes."""
    value = spelled_float32(text)
    if value is None or not value.is_integer():
        return value
    return value if Decimal(value) == Decimal(text) else None


def _if_spelled(exact: Decimal, value: float, shortest: Callable[[float], str]) -> float | None:
    if value in {float("inf"), float("-inf")}:
        return None
    if exact == 0 or value == 0:
        return value if exact == value else None
    if Decimal(shortest(value)) == exact:
        return value
    digits = len("".join(map(str, exact.as_tuple().digits)).strip("0")) or 1
    return value if Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(Decimal(value)) == exact else None


def date(text: str) -> str | None:
    """``YYYY-MM-DD`` or ``YYYY-MM-DD BC``; a date at midnight is that date."""
    bare = re.sub(r"[ T]00:00:00(\.0+)?(?= |$)", "", text, count=1)
    found = _DATE_ONLY.fullmatch(bare)
    if found is None:
        return _UNENDING.get(text.lower())
    day = _day(found[1], found[2], found[3])
    return None if day is None else day + (" BC" if found["bc"] else "")


def _day(year: str, month: str, day: str) -> str | None:
    number_of_year = int(year)
    if number_of_year == 0:
        return None
    try:
        # Leap years repeat every 400 years; the calendar here ends in the year 9999.
        calendar_date(number_of_year % 400 + 400, int(month), int(day))
    except ValueError:
        return None
    return f"{number_of_year:04}-{month}-{day}"


def time(text: str) -> str | None:
    """``HH:MM:SS.f`` without trailing zeros; MySQL's go from -838:59:59 to 838:59:59."""
    found = _TIME_ONLY.fullmatch(text)
    if found is None:
        return None
    sign, hours, minutes, seconds, fraction = found.groups()
    if int(minutes) > 59 or int(seconds or 0) > 59:
        return None
    clock = f"{int(hours):02}:{minutes}:{seconds or '00'}{_fraction(fraction)}"
    return clock if clock == "00:00:00" else sign + clock


def timetz(text: str) -> str | None:
    """``HH:MM:SS.f+HH:MM``: the clock and the offset both count, 12:00+02 is not 10:00+00."""
    found = _TIME_WITH_OFFSET.fullmatch(text)
    if found is None:
        return None
    clock, seconds = time(text[: found.start(5)].rstrip()), _offset_seconds(found[5])
    if clock is None or seconds is None:
        return None
    minutes, rest = divmod(abs(seconds), 60)
    offset = f"{'-' if seconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
    return f"{clock}{offset}" + (f":{rest:02}" if rest else "")


def _offset_seconds(text: str) -> int | None:
    if text == "Z":
        return 0
    if not re.fullmatch(_OFFSET, text):
        return None
    digits = text[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = (int(digits[i : i + 2]) for i in (0, 2, 4))
    if minutes > 59 or seconds > 59:
        return None
    return (hours * 3600 + minutes * 60 + seconds) * (-1 if text[0] == "-" else 1)


def _fraction(digits: str | None) -> str:
    kept = (digits or "").rstrip("0")
    return f".{kept}" if kept else ""


def timestamp(text: str) -> str | None:
    """``YYYY-MM-DD HH:MM:SS.f`` with every digit of the fraction, ``BC`` after it; one with an offset is none."""
    return _moment(text, zoned=False)


def timestamptz(text: str) -> str | None:
    """The same in UTC; without an offset it is taken for UTC."""
    return _moment(text, zoned=True)


def _moment(text: str, *, zoned: bool) -> str | None:
    found = _MOMENT.fullmatch(text)
    if found is None:
        day = date(text)
        return f"{day[:-3]} 00:00:00 BC" if day and day.endswith(" BC") else (
            f"{day} 00:00:00" if day and "inf" not in day else day)  # fmt: skip
    if (found["offset"] and not zoned) or (found["era"] and found["bc"]):
        return None
    day = _day(found[1], found[2], found[3])
    hours, minutes, seconds = int(found[5]), int(found[6]), int(found[7] or 0)
    shift = _offset_seconds(found["offset"]) if found["offset"] else 0
    if day is None or hours > 23 or minutes > 59 or seconds > 59 or shift is None:
        return None
    before = bool(found["era"] or found["bc"])
    if shift:
        # The year before 1 is 1 BC: counted on from 0 for the arithmetic.
        year = 1 - int(found[1]) if before else int(found[1])
        moved = hours * 3600 + minutes * 60 + seconds - shift
        days, rest = divmod(moved, 86400)
        cycle, within = divmod(year, 400)
        there = calendar_date.fromordinal(calendar_date(within + 400, int(found[2]), int(found[3])).toordinal() + days)
        year = cycle * 400 + there.year - 400
        before = year < 1
        day = f"{1 - year if before else year:04}-{there.month:02}-{there.day:02}"
        hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
    return f"{day} {hours:02}:{minutes:02}:{seconds:02}{_fraction(found[8])}" + (" BC" if before else "")


_UNITS = {"year": 12, "mon": 1, "month": 1, "week": -7, "day": -1}
_INTERVAL_PART = re.compile(r"([+-]?[0-9]+) ?(years?|mons?|months?|weeks?|days?)\b ?")
_INTERVAL_CLOCK = re.compile(r"([+-]?)([0-9]+):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?")
_ISO_INTERVAL = re.compile(
    r"P(?:([+-]?[0-9]+)Y)?(?:([+-]?[0-9]+)M)?(?:([+-]?[0-9]+)W)?(?:([+-]?[0-9]+)D)?"
    r"(?:T(?:([+-]?[0-9]+)H)?(?:([+-]?[0-9]+)M)?(?:([+-]?[0-9]+(?:\.[0-9]+)?)S)?)?"
)


def interval(text: str) -> str | None:
    """``P<months>M<days>DT<seconds>S``: a year is 12 months; a day is not 24 hours, nor a month 30 days."""
    if text.startswith("P") and len(text) > 2 and (found := _ISO_INTERVAL.fullmatch(text)):
        years, months, weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[:6])
        clock = Decimal(hours * 3600 + minutes * 60) + Decimal(found[7] or 0)
        return _interval(years * 12 + months, weeks * 7 + days, clock)
    months = days = at = 0
    while part := _INTERVAL_PART.match(text, at):
        by = _UNITS[part[2].removesuffix("s")]
        months, days = months + max(by, 0) * int(part[1]), days + max(-by, 0) * int(part[1])
        at = part.end()
    clock, rest = Decimal(0), text[at:]
    if rest:
        found = _INTERVAL_CLOCK.fullmatch(rest)
        if found is None or int(found[3]) > 59 or int(found[4] or 0) > 59:
            return None
        clock = Decimal(int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4] or 0))
        clock = (clock + Decimal(f"0.{found[5] or 0}")) * (-1 if found[1] == "-" else 1)
    return _interval(months, days, clock) if text else None


def _interval(months: int, days: int, seconds: Decimal) -> str:
    return f"P{months}M{days}DT{number(f'{seconds:f}')}S"


def uuid(text: str) -> str | None:
    """Lower case with hyphens."""
    found = _UUID.fullmatch(text.lower())
    return "-".join(found.groups()) if found and text.count("{") == text.count("}") else None


def network(text: str) -> str | None:
    """An address with its prefix, which a single host may leave out: 10.0.0.1 is 10.0.0.1/32."""
    try:
        found = ipaddress.ip_interface(text)
    except ValueError:
        return None
    return found.with_prefixlen


def binary(text: str) -> str | None:
    r"""Upper-case hexadecimal of what PostgreSQL writes, ``\x00ff``, and of bare hexadecimal."""
    bare = text.removeprefix("\\x")
    return bare.upper() if re.fullmatch(r"([0-9A-Fa-f]{2})*", bare) else None
