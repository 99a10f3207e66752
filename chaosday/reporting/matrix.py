"""The kill matrix as a heat map and as rows of a table, ready to be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chaosday.errors import UnknownName
from chaosday.judging.sight import Cell, Class, KillMatrix
from chaosday.model.corruption import Corruption
from chaosday.registry import member

ANY = "any check"
NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True)
class DrawnCell:
    """One cell: ``kind`` is a CSS class, ``text`` what a person reads, ``note`` what a pointer is told.

    ``recall`` (0 to 1) is its heat; None where nothing was planted that the check reads. ``named`` is
    whether each finding also named a damaged item.
    """

    kind: str
    text: str
    recall: float | None = None
    named: bool = False
    note: str = ""

    @property
    def percent(self) -> int:
        """Its heat in whole per cent; never 0 or 100 for a recall in between."""
        if self.recall is None or self.recall in (0, 1):
            return round(100 * (self.recall or 0))
        return min(max(round(100 * self.recall), 1), 99)


@dataclass(frozen=True)
class Row:
    """One class of damage: over all checks together, then check by check."""

    name: str
    whole: DrawnCell
    cells: list[DrawnCell]


@dataclass(frozen=True)
class Group:
    """The classes of one kind of evidence."""

    name: str
    rows: list[Row]


@dataclass(frozen=True)
class MatrixTable:
    """The whole matrix, and what has to be said beside it."""

    checks: list[str]
    groups: list[Group]
    words: list[str]

    @property
    def rows(self) -> list[Row]:
        """All rows, group after group."""
        return [row for group in self.groups for row in group.rows]

    def records(self) -> list[dict[str, str]]:
        """One flat record a row, for tables elsewhere."""
        return [dict(self._record(group.name, row)) for group in self.groups for row in group.rows]

    def _record(self, group: str, row: Row) -> Iterator[tuple[str, str]]:
        yield from (("evidence", group), ("damage", row.name), (ANY, row.whole.text))
        yield from ((check, cell.text) for check, cell in zip(self.checks, row.cells, strict=True))


def matrix_table(matrix: KillMatrix) -> MatrixTable:
    """Corruptions down, checks across; classes that could not be planted are told in words below."""
    groups: dict[str, list[Row]] = {}
    for each in matrix.classes:
        if each.planted:
            cells = [_drawn(matrix.cell(check, each.corruption)) for check in matrix.checks]
            groups.setdefault(_evidence_of(each.corruption), []).append(Row(each.corruption, _whole(each), cells))
    unplanted = [each for each in matrix.classes if not each.planted]
    words = [f"{matrix.planted} plantings in {matrix.seconds:.1f} s, seed {matrix.seed}."]
    words += [f"Not planted: {each.corruption}: {each.why}" for each in unplanted if each.why]
    words += [f"Left out: {line}" for line in matrix.left_out]
    words += [f"Blind spot: {line}" for line in matrix.blind_spots]
    return MatrixTable(matrix.checks, [Group(name, rows) for name, rows in sorted(groups.items())], words)


def _whole(each: Class) -> DrawnCell:
    status = "caught" if each.caught == each.planted else "partly" if each.caught else "missed"
    note = "" if each.promised else "not promised: even a perfect check would miss it at times"
    return DrawnCell(status, f"{each.caught} of {each.planted}", each.caught / each.planted, note=note)


def _drawn(cell: Cell | None) -> DrawnCell:
    if cell is None or cell.status == NOT_APPLICABLE:
        return DrawnCell(NOT_APPLICABLE, "–", note=cell.why if cell else "")
    low, high = cell.recall_95
    said = [f"recall between {low:.0%} and {high:.0%} (95 %)", f"a damaged item was named {cell.localised} times"]
    if cell.smallest_caught is not None:
        said.append(f"smallest damage seen: {cell.smallest_caught}")
    if cell.why:
        said.append(cell.why)
    return DrawnCell(
        kind=cell.status,
        text=f"{cell.caught} of {cell.planted}",
        recall=cell.caught / cell.planted,
        named=bool(cell.caught) and cell.localised == cell.caught,
        note="; ".join(said),
    )


def _evidence_of(corruption: str) -> str:
    """The kinds of evidence that a class of damage is for; a class that this version lacks has none."""
    try:
        kind = member("corruptions", corruption)
    except UnknownName:
        return "other"
    stores = kind.stores if issubclass(kind, Corruption) else ()
    return ", ".join(stores) or "other"
