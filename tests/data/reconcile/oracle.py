"""What two values are, as Python objects: which of them are the same, and how each engine is given them.

Written without the product's code, to judge it: dates and times are tuples of whole numbers (there are
years before 1 and nanoseconds), everything else is Python's own type.
"""

from __future__ import annotations

import random
import struct
import unicodedata
import uuid
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

ENGINES = ("postgresql", "mariadb", "sqlite", "duckdb", "parquet", "csv")
Value = Any


@dataclass(frozen=True)
class Kind:
    """A logical type: what each engine that has it calls it, and its edge values, all different."""

    name: str
    declared: dict[str, str]
    edges: tuple[Value, ...]


def _everywhere(name: str, **other: str) -> dict[str, str]:
    return {engine: other.get(engine, name) for engine in ENGINES}


def _some(**declared: str) -> dict[str, str]:
    return declared


_FLOATS = (0.1, 0.30000000000000004, 0.3, 0.0, -0.0, -2.5, 1e22, 1e23, 5e-324, 1.7976931348623157e308,
           9007199254740994.0, float("nan"), float("inf"), float("-inf"), 1e15, 1e16,
           1152921504606846976.0)  # fmt: skip
KINDS = {
    kind.name: kind
    for kind in (
        Kind("int", _everywhere("bigint"),
             (0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**32 + 1, 10, 100)),
        Kind("unsigned", _everywhere("bigint", postgresql="numeric(20)", mariadb="bigint unsigned", duckdb="ubigint",
                                     parquet="ubigint"), (0, 2**64 - 1, 2**63, 2**63 - 1, 1)),
        Kind("decimal", _everywhere("decimal(38,10)"),
             tuple(Decimal(text) for text in ("0", "0.1", "0.0000000001", "-12345678.0000000001", "100", "1e10",
                                              "1234567890123456789012345678.0123456789", "9007199254740993",
                                              "1234567890123456789012345678.0123456788", "-0.5"))),
        Kind("float", _everywhere("double", postgresql="float8"), _FLOATS),
        Kind("float32", _some(postgresql="real", mariadb="float", duckdb="float", parquet="float"),
             tuple(struct.unpack("f", struct.pack("f", x))[0] for x in (0.1, 1.5, 16777216, 3e38, 1e-45, 0.0, -0.25))),
        Kind("text", _everywhere("varchar(200)", postgresql="text"),
             ("", " ", "a", "a ", "A", "caf\u00e9", "cafe\u0301", "NULL", "null", "1", "1.0", "01", "text:1", "\u0001a",
              "\u0001blob:61", 'a,"b"', "two\nlines", "two\r\nlines", "#1", "\U0001f600", "true", "\\x61", "nan")),
        Kind("bytes", _some(postgresql="bytea", mariadb="varbinary(40)", sqlite="blob", duckdb="blob", parquet="blob",
                            csv="text"), (b"", b"\0", b"a", b"a\0", b"\xff\x00", b"61", b"A")),
        Kind("bool", _everywhere("boolean"), (True, False)),
        Kind("date", _everywhere("date"),
             ((2024, 2, 29), (1969, 12, 31), (1, 1, 1), (9999, 12, 31), (-43, 3, 15), (44, 3, 15), (1582, 10, 10))),
        Kind("time", _everywhere("time", mariadb="time(6)"),
             ((0, 0, 0, 0), (23, 59, 59, 999999000), (12, 0, 0, 1000), (12, 0, 0, 0), (1, 0, 0, 0), (13, 0, 0, 0))),
        Kind("timetz", _some(postgresql="timetz", duckdb="timetz", csv="text"),
             ((12, 0, 0, 0, 0), (12, 0, 0, 0, 7200), (10, 0, 0, 0, 0), (12, 0, 0, 1000, -19800))),
        Kind("timestamp", _everywhere("timestamp", mariadb="datetime(6)"),
             ((2024, 2, 29, 12, 0, 0, 0), (2024, 2, 29, 0, 0, 0, 0), (1970, 1, 1, 0, 0, 1, 1000),
              (-43, 3, 15, 1, 0, 0, 0), (44, 3, 15, 1, 0, 0, 0), (9999, 12, 31, 23, 59, 59, 999999000),
              (2024, 2, 29, 12, 0, 0, 100000000))),
        Kind("timestamp_ns", _some(duckdb="timestamp_ns", parquet="timestamp_ns", csv="text"),
             ((2024, 2, 29, 12, 0, 0, 123456789), (2024, 2, 29, 12, 0, 0, 123456000), (2024, 2, 29, 12, 0, 0, 1))),
        Kind("timestamptz", _everywhere("timestamptz", mariadb="timestamp(6) null"),
             ((2024, 2, 29, 12, 0, 0, 0), (2001, 1, 1, 0, 0, 1, 500000000), (2024, 2, 29, 12, 0, 0, 1000),
              (2024, 2, 29, 10, 0, 0, 0), (2024, 2, 29, 11, 59, 59, 999999000))),
        Kind("interval", _some(postgresql="interval", duckdb="interval", parquet="interval", csv="text"),
             ((0, 1, 0), (0, 0, 86400000), (1, 0, 0), (0, 30, 0), (14, -3, 1500), (12, 0, 0), (0, 365, 0), (0, 0, -1))),
        Kind("uuid", _everywhere("uuid", mariadb="char(36)"),
             tuple(uuid.UUID(int=n) for n in (0, 1, 2**128 - 1, 0x6BA7B810 << 96))),
        Kind("json", _everywhere("json"),
             ("{}", "[]", "null", '{"a":1}', '{"a":2}', '{"a":1,"b":[true,null]}', '"x"', '"1"', "1", "1.5", "[1,2]",
              "[2,1]", '{"b":1}', "[12345678901234567890.5]")),
        Kind("list", _some(postgresql="float8[]", duckdb="double[]", parquet="double[]"),
             ([], [1.0], [1.0, 2.0], [2.0, 1.0], [None], [0.0], [-0.0], [float("nan")], [float("inf"), None], [0.1])),
    )
}  # fmt: skip


def same(left: Value, right: Value) -> bool:
    """Whether two values of one kind are the same: bit for bit for floats, with NaN the same as NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack("d", left) == struct.pack("d", right) or (left != left and right != right)  # noqa: PLR0124
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def same_across(left: Value, right: Value) -> bool:
    """Whether numbers or dates of two kinds are the same value."""
    if left is None or right is None:
        return left is right
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) != len(right):
        longer, shorter = sorted((left, right), key=len, reverse=True)
        return longer == (*shorter, 0, 0, 0, 0)
    numbers = {type(left), type(right)}
    if numbers in ({int, float}, {Decimal, float}):
        exact, real = (left, right) if isinstance(right, float) else (right, left)
        return _spells(Decimal(exact), real)
    return bool(left == right) if numbers == {int, Decimal} else same(left, right)


def _spells(exact: Decimal, real: float) -> bool:
    """A whole number is a float to its last digit; a fraction is the float whose leading digits it has."""
    if real != real or real in {float("inf"), float("-inf")}:  # noqa: PLR0124
        return False
    if real.is_integer():
        return Fraction(exact) == Fraction(real) and str(real) != "-0.0"
    if float(exact) != real or exact == exact.to_integral_value():
        return False
    digits = len(exact.normalize().as_tuple().digits)
    return Decimal(repr(real)) == exact or Decimal(f"{Decimal(real):.{digits - 1}e}") == exact


def held(kind: str, engine: str, value: Value) -> bool:
    """Whether an engine can hold a value, which for some of them is less than its type says."""
    if engine not in KINDS[kind].declared:
        return False
    limit = {"mariadb": _held_by_mariadb, "sqlite": _held_by_sqlite, "parquet": _held_by_parquet}.get(engine)
    return limit is None or limit(kind, value)


def _held_by_mariadb(kind: str, value: Value) -> bool:
    if isinstance(value, float):
        return abs(value) < float("inf") and str(value) != "-0.0"
    if kind in {"date", "timestamp"}:
        return bool(value[0] > 0)
    return kind != "timestamptz" or 1971 < value[0] < 2037


def _held_by_sqlite(kind: str, value: Value) -> bool:
    if isinstance(value, float):
        return value == value and str(value) != "-0.0"  # noqa: PLR0124
    if kind == "decimal":
        # SQLite keeps a decimal as a float.
        return (-(2**63) <= value < 2**63 and value == int(value)) or Decimal(repr(float(value))) == value
    return kind != "unsigned" or bool(value < 2**63)


def _held_by_parquet(kind: str, value: Value) -> bool:
    # DuckDB, which writes the files here, turns 30 days into a month and 24 hours into a day.
    return kind != "interval" or (min(value) >= 0 and value[1] < 30 and value[2] < 86400000)


def text(kind: str, engine: str, value: Value) -> str:
    """A value in the spelling that an engine takes, and that a CSV holds."""
    if isinstance(value, tuple):
        return _interval(value) if kind == "interval" else _moment(kind, engine, value)
    if isinstance(value, bool):
        return str(value).lower() if engine != "mariadb" else str(int(value))
    if isinstance(value, list):
        inside = ",".join("NULL" if one is None else repr(one) for one in value)
        return f"{{{inside}}}" if engine == "postgresql" else f"[{inside}]"
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _interval(value: tuple[int, ...]) -> str:
    months, days, milliseconds = value
    sign, rest = "-" if milliseconds < 0 else "", abs(milliseconds)
    clock = f"{rest // 3600000:02}:{rest // 60000 % 60:02}:{rest // 1000 % 60:02}.{rest % 1000:03}"
    return f"{months} months {days} days {sign}{clock}"


def _moment(kind: str, engine: str, value: tuple[int, ...]) -> str:
    day, clock = (value[:3], value[3:]) if kind not in {"time", "timetz"} else ((), value)
    written = []
    era = ""
    if day:
        era = "" if day[0] > 0 else " (BC)" if engine in {"duckdb", "parquet"} else " BC"
        written.append(f"{day[0] if day[0] > 0 else 1 - day[0]:04}-{day[1]:02}-{day[2]:02}")
        if era == " (BC)":
            written[0] += era
            era = ""
    if clock:
        fraction = f".{clock[3]:09}".rstrip("0").rstrip(".")
        offset = f"{'-' if clock[4] < 0 else '+'}{abs(clock[4]) // 3600:02}:{abs(clock[4]) // 60 % 60:02}" if (
            kind == "timetz") else "+00" if kind == "timestamptz" and engine != "mariadb" else ""  # fmt: skip
        written.append(f"{clock[0]:02}:{clock[1]:02}:{clock[2]:02}{fraction}{offset}")
    return " ".join(written) + era


def drawn(kind: str, rng: random.Random) -> Value:
    """A random value of a kind, an edge value half of the time."""
    if rng.random() < 0.5:
        return rng.choice(KINDS[kind].edges)
    return _DRAWN.get(kind, lambda rng: rng.choice(KINDS[kind].edges))(rng)


def neighbour(kind: str, value: Value, rng: random.Random) -> Value:
    """A value that a careless reader takes for the same."""
    near = _NEAR.get(kind)
    if value is None or near is None or rng.random() < 0.2:
        return drawn(kind, rng)
    try:
        return near(value, rng)
    except (OverflowError, ValueError):
        return drawn(kind, rng)


def _of_bits(data: bytes) -> float:
    return float(struct.unpack("d", data)[0])


def _near_decimal(value: Decimal, rng: random.Random) -> Decimal:
    step = rng.choice((Decimal("1e-10"), Decimal("-1e-10"), Decimal(1)))
    return value + step if abs(value) < 10**15 else -value


def _near_bytes(value: bytes, rng: random.Random) -> bytes:
    flipped = bytes([*value[:-1], value[-1] ^ 1]) if value else b"\0"
    return rng.choice((value + b"\0", value[:-1], flipped, value.hex().encode()[:20]))


def _time_of_day(rng: random.Random) -> tuple[int, int, int, int]:
    return rng.randrange(24), rng.randrange(60), rng.randrange(60), rng.randrange(10**6) * 1000


def _day(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(1000, 9999), rng.randrange(1, 13), rng.randrange(1, 29)


def _recent(rng: random.Random) -> tuple[int, ...]:
    return (rng.randrange(1990, 2030), *_day(rng)[1:], *_time_of_day(rng))


_DRAWN = {
    "int": lambda rng: rng.choice((rng.randrange(-1000, 1000), rng.randrange(-(2**63), 2**63))),
    "unsigned": lambda rng: rng.randrange(2**64),
    "decimal": lambda rng: Decimal(rng.randrange(-(10**12), 10**12)).scaleb(-rng.randrange(11)),
    "float": lambda rng: rng.choice((rng.random(), rng.randrange(-100, 100) / 8, _of_bits(rng.randbytes(8)))),
    "text": lambda rng: "".join(rng.choices("aAb \u00e9\n'\"\\,;1.0", k=rng.randrange(6))),
    "bytes": lambda rng: rng.randbytes(rng.randrange(5)),
    "date": _day,
    "time": _time_of_day,
    "timestamp": lambda rng: (*_day(rng), *_time_of_day(rng)),
    "timestamptz": _recent,
    "interval": lambda rng: (rng.randrange(-20, 20), rng.randrange(-40, 40), rng.randrange(-(10**8), 10**8)),
    "uuid": lambda rng: uuid.UUID(int=rng.getrandbits(128)),
    "list": lambda rng: [rng.choice((None, rng.random(), -0.0, 1.0)) for _ in range(rng.randrange(4))],
}  # fmt: skip


def _near_float(value: float, rng: random.Random) -> float:
    from math import inf, nextafter

    return rng.choice((nextafter(value, inf), nextafter(value, -inf), -value, float(round(value, 3))))


def _near_text(value: str, rng: random.Random) -> str:
    return rng.choice((
        f"{value} ", f" {value}", value.swapcase(), unicodedata.normalize("NFD", value), value.rstrip(), f"{value}.0",
        f"0{value}", f"text:{value}", value.replace("\n", "\r\n"), f"\u0001{value}", value + value[-1:],
    ))  # fmt: skip


def _near_moment(value: tuple[int, ...], rng: random.Random) -> tuple[int, ...]:
    at = len(value) - 1
    later = (*value[:at], (value[at] + 1000) % 10**9)
    hour = (*value[: at - 3], (value[at - 3] + 12) % 24, *value[at - 2 :])
    return rng.choice((later, hour, (*value[:at], value[at] // 10**6 * 10**6)))


def _near_interval(value: tuple[int, int, int], rng: random.Random) -> tuple[int, int, int]:
    months, days, milliseconds = value
    return rng.choice(((months, days - 1, milliseconds + 86400000), (months - 1, days + 30, milliseconds),
                       (months, days, milliseconds + 1)))  # fmt: skip


def _near_date(value: Any, rng: random.Random) -> Any:
    year, month, day = value
    # MariaDB knows no year beyond 9999.
    beside = (year + 1 if year < 9999 else year - 1, month, min(day, 28))
    return rng.choice((beside, (year, month, day % 28 + 1)))


_NEAR: dict[str, Any] = {
    "int": lambda v, rng: rng.choice((v + 1, v - 1, -v, v ^ (1 << 32))) if abs(v) < 2**62 else v ^ 1,
    "unsigned": lambda v, rng: rng.choice((v ^ 1, v ^ (1 << 63))),
    "decimal": _near_decimal,
    "float": _near_float,
    "text": _near_text,
    "bytes": _near_bytes,
    "bool": lambda v, rng: not v,
    "date": _near_date,
    "time": _near_moment,
    "timestamp": _near_moment,
    "timestamptz": _near_moment,
    "interval": _near_interval,
    "uuid": lambda v, rng: uuid.UUID(int=v.int ^ (1 << rng.randrange(128))),
    "list": lambda v, rng: rng.choice((v[::-1], [*v, None], [-x if x else x for x in v], v[:-1])),
}  # fmt: skip
