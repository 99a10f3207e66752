"""The kill matrix as a table of cells, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

from chaosday.sight import Cell, KillMatrix

TEXT = {"caught": "{caught} of {planted}", "partly": "{caught} of {planted}", "missed": "0 of {planted}"}


@dataclass(frozen=True)
class DrawnCell:
    """One cell: its kind is a CSS class, its text what a person reads."""

    kind: str
    text: str


@dataclass(frozen=True)
class Row:
    """One class of damage over the checks."""

    name: str
    cells: list[DrawnCell]


@dataclass(frozen=True)
class MatrixTable:
    """The whole matrix, and what has to be said beside it."""

    checks: list[str]
    rows: list[Row]
    words: list[str]


def matrix_table(matrix: KillMatrix) -> MatrixTable:
    """Corruptions down, checks across; classes that could not be planted are told in words below."""
    rows = [
        Row(each.corruption, [_drawn(matrix.cell(check, each.corruption)) for check in matrix.checks])
        for each in matrix.classes
        if each.planted
    ]
    unplanted = [each for each in matrix.classes if not each.planted]
    words = [f"{matrix.planted} plantings in {matrix.seconds:.1f} s, seed {matrix.seed}."]
    words += [f"Not planted: {each.corruption}: {each.why}" for each in unplanted if each.why]
    words += [f"Left out: {line}" for line in matrix.left_out]
    words += [f"Blind spot: {line}" for line in matrix.blind_spots]
    return MatrixTable(matrix.checks, rows, words)


def _drawn(cell: Cell | None) -> DrawnCell:
    if cell is None or cell.status == "not-applicable":
        return DrawnCell("not-applicable", "–")
    return DrawnCell(cell.status, TEXT[cell.status].format(caught=cell.caught, planted=cell.planted))
