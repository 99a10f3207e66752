"""Engine x engine x type x edge value: equal to itself, different from every other; and random tables."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaosday.data.reconcile import diff
from tests.data.reconcile.oracle import KINDS, drawn, held, neighbour, same_across, text
from tests.data.reconcile.stores import Spelled, Stores

# Kinds that hold the same values: a column may be one of them on the left and another on the right.
FAMILIES = (("int", "decimal", "float"), ("date", "timestamp"))


@dataclass
class Cells:
    """Cells of the conformance table: how many, and those with the wrong answer, in words."""

    cells: int = 0
    types: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)


def conformance(stores: Stores, pairs: Sequence[tuple[str, str]] | None = None) -> Cells:
    """Every edge value of every type on each pair of engines: once beside itself, once beside each next one."""
    found = Cells()
    for left, right in pairs or list(itertools.combinations_with_replacement(stores.engines, 2)):
        kinds = [name for name, kind in KINDS.items() if left in kind.declared and right in kind.declared]
        shown = [[v for v in KINDS[kind].edges if held(kind, left, v) and held(kind, right, v)] for kind in kinds]
        longest = max(map(len, shown))
        for turn in (0, 1):
            sides = [_turned(shown, longest, 0), _turned(shown, longest, turn)]
            made = [stores.make(e, 1, kinds, rows) for e, rows in zip((left, right), sides, strict=True)]
            result = diff(*made, key=["k0"])
            frame = result.to_pandas()
            changed = {
                (int(key), column)
                for key, columns in zip(frame.get("k0", []), frame.get("changed_columns", []), strict=True)
                for column in columns
            }
            for row, (place, kind) in itertools.product(range(longest), enumerate(kinds)):
                if row >= len(shown[place]):
                    continue
                differs = (row, f"c{place}") in changed
                expected = not same_across(sides[0][row][place + 1], sides[1][row][place + 1])
                found.cells += 1
                if differs != expected or result.equal is None:
                    values = f"{sides[0][row][place + 1]!r} and {sides[1][row][place + 1]!r}"
                    found.failed.append(f"{kind} {left} {right}: {values}: {result.reasons or differs}")
        found.types |= set(kinds)
        found.pairs.add((left, right))
    return found


def _turned(shown: Sequence[Sequence[Any]], longest: int, turn: int) -> list[list[Any]]:
    return [
        [row, *(values[(row + turn) % len(values)] if row < len(values) else None for values in shown)]
        for row in range(longest)
    ]


@dataclass
class Answers:
    """Random tables: how many, how many differ, and those with the wrong answer, in words."""

    tables: int = 0
    different: int = 0
    false_equal: list[str] = field(default_factory=list)
    false_different: list[str] = field(default_factory=list)


def random_tables(stores: Stores, pair: tuple[str, str], tables: int, seed: int) -> Answers:
    """Many small tables of random values in one comparison, half of them with something planted in one side."""
    rng = random.Random(f"{seed} {pair}")
    kinds = _columns(pair, rng)
    sides: list[list[list[Any]]] = [[], []]
    differs: dict[int, bool] = {}
    planted: dict[int, str] = {}
    for number in range(tables):
        left, right = _table(pair, kinds, number, rng)
        planted[number] = _plant(right, pair[1], [kind for _, kind in kinds], rng) if rng.random() < 0.5 else "nothing"
        differs[number] = _differs(left, right)
        sides[0] += left
        sides[1] += right
    made = [
        stores.make(engine, 2, [kind[side] for kind in kinds], _spelled(rows, pair, side, kinds, rng))
        for side, (engine, rows) in enumerate(zip(pair, sides, strict=True))
    ]
    result = diff(*made, key=["k0", "k1"])
    frame = result.to_pandas()
    found = set(map(int, frame["k0"])) if len(frame) else set()
    answers = Answers(tables, sum(differs.values()))
    for number, different in differs.items():
        words = f"seed {seed} {pair} {kinds} table {number}: {planted[number]}; {result.reasons}"
        if different and number not in found:
            answers.false_equal.append(words)
        if (not different and number in found) or result.equal is None:
            answers.false_different.append(words)
    return answers


def _columns(pair: tuple[str, str], rng: random.Random) -> list[tuple[str, str]]:
    both = [name for name, kind in KINDS.items() if set(pair) <= set(kind.declared)]
    kinds = [(kind, kind) for kind in rng.sample(both, 4)]
    family = rng.choice(FAMILIES)
    mixed = rng.sample(family, 2)
    # Two columns of text (CSV, SQLite's and MariaDB's dates beside a CSV) are compared as text, not as numbers.
    return kinds if "csv" in pair else [*kinds, (mixed[0], mixed[1])]


def _table(
    pair: tuple[str, str], kinds: Sequence[tuple[str, str]], number: int, rng: random.Random
) -> tuple[list[list[Any]], list[list[Any]]]:
    left, right = [], []
    for row in range(rng.randrange(5)):
        cells = []
        for ours, theirs in kinds:
            value = None if rng.random() < 0.1 else drawn(ours, rng)
            other = _converted(value, theirs) if ours != theirs else value
            fits = value is None or (other is not None and held(ours, pair[0], value) and held(theirs, pair[1], other))
            cells.append((value, other) if fits else (None, None))
        left.append([number, row, *(cell[0] for cell in cells)])
        right.append([number, row, *(cell[1] for cell in cells)])
    return left, right


def _converted(value: Any, kind: str) -> Any:
    """The value of another kind that is the same, or None."""
    from decimal import Decimal, InvalidOperation

    if value is None:
        return None
    candidates: list[Any] = []
    try:
        if kind == "timestamp" and len(value) == 3:
            candidates = [(*value, 0, 0, 0, 0)]
        elif kind == "date":
            candidates = [value[:3]]
        elif kind == "int":
            candidates = [int(value)] if abs(value) < 2**63 else []
        elif kind == "decimal":
            candidates = [Decimal(repr(value)) if isinstance(value, float) else Decimal(value)]
        elif kind == "float":
            candidates = [float(value)]
    except (OverflowError, ValueError, InvalidOperation, TypeError):
        return None
    if kind == "decimal" and candidates and not _fits(candidates[0]):
        return None
    return next((one for one in candidates if same_across(value, one)), None)


def _fits(value: Any) -> bool:
    return bool(value.is_finite() and abs(value) < 10**28 and value.as_tuple().exponent >= -10)


def _plant(rows: list[list[Any]], engine: str, kinds: Sequence[str], rng: random.Random) -> str:
    if not rows:
        rows.append([0, 0, *([None] * len(kinds))])
        rows.clear()
        return "nothing"
    word = rng.choice(("cell", "cell", "cell", "null", "lost", "doubled", "swapped"))
    row = rng.choice(rows)
    place = rng.randrange(len(kinds))
    if word == "lost":
        rows.remove(row)
    elif word == "doubled":
        rows.append(list(row))
    elif word == "swapped":
        other = rng.choice(rows)
        row[place + 2], other[place + 2] = other[place + 2], row[place + 2]
    elif word == "null":
        row[place + 2] = None
    else:
        value = neighbour(kinds[place], row[place + 2], rng)
        if held(kinds[place], engine, value) and (kinds[place] != "decimal" or _fits(value)):
            return _put(row, place, value)
    return word


def _put(row: list[Any], place: int, value: Any) -> str:
    words = f"{row[place + 2]!r} to {value!r}"
    row[place + 2] = value
    return words


def _differs(left: list[list[Any]], right: list[list[Any]]) -> bool:
    if len(left) != len(right):
        return True
    pairs = zip(sorted(left, key=lambda row: row[1]), sorted(right, key=lambda row: row[1]), strict=True)
    return any(
        ours[1] != theirs[1] or not all(same_across(a, b) for a, b in zip(ours[2:], theirs[2:], strict=True))
        for ours, theirs in pairs
    )


def _spelled(
    rows: list[list[Any]], pair: tuple[str, str], side: int, kinds: Sequence[tuple[str, str]], rng: random.Random
) -> list[list[Any]]:
    """Rows in which a CSV spells some values in another way, where its other side has types to read them by."""
    if pair[side] != "csv" or pair[1 - side] == "csv":
        return rows
    other = pair[1 - side]
    return [
        [*row[:2], *(_respelled(kind[side], other, value, rng) for kind, value in zip(kinds, row[2:], strict=True))]
        for row in rows
    ]


def _respelled(kind: str, other: str, value: Any, rng: random.Random) -> Any:
    if value is None or rng.random() < 0.5 or (other == "mariadb" and kind in {"uuid", "json"}):
        return value
    plain = text(kind, "csv", value)
    spellings = {
        "int": (f"{plain}.0", f"{plain}e0", plain if plain.startswith("-") else f"+{plain}"),
        "decimal": (plain + ("000" if "." in plain else ".0"),),
        "bool": (plain.title(), plain.upper(), plain[:1]),
        "uuid": (plain.upper(), plain.replace("-", "")),
        "timestamp": (plain.replace(" ", "T", 1),),
    }
    alike = {"unsigned": "int", "timestamptz": "timestamp"}
    return Spelled(rng.choice(spellings.get(alike.get(kind, kind), (plain,))))


def sessions(engines: Sequence[str], tables: int, size: int) -> Iterator[tuple[tuple[str, str], int]]:
    """Pairs of engines in turn, each with its seed, until that many tables are asked for."""
    pairs = list(itertools.product(engines, repeat=2))
    for number in range(-(-tables // size)):
        yield pairs[number % len(pairs)], number
