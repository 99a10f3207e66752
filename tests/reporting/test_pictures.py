"""The kill matrix as a heat map, as records, and as a curve of sensitivity."""

from __future__ import annotations

from functools import cache
from xml.etree import ElementTree

import pytest

from chaosday.checks.ledger import LedgerCheck
from chaosday.checks.replica_rows import ReplicaRows
from chaosday.corruptions.ledger.row_deleted import RowDeleted
from chaosday.corruptions.ledger.value_flipped import ValueFlipped
from chaosday.corruptions.replica.replica_gap import ReplicaGap
from chaosday.judging.sight import Cell, Class, KillMatrix, SizeRecall
from chaosday.reporting import sensitivity
from chaosday.reporting.matrix import DrawnCell, matrix_table
from tests.judging import planting
from tests.judging.proving import prove

pytestmark = pytest.mark.kernel
SVG = "{http://www.w3.org/2000/svg}"


@cache
def proven() -> KillMatrix:
    """A real proof of two checks by three classes of damage."""
    evidence = planting.simulated(1_000)
    evidence = evidence.replaced(rows={"survivor.standby": evidence.rows("survivor")})
    checks = [LedgerCheck(), ReplicaRows(store="survivor", replica="survivor.standby")]
    corruptions = [RowDeleted(), ValueFlipped(), ReplicaGap()]
    return prove(evidence, checks, corruptions=corruptions, repetitions=2, budget_s=600)


def made(*by_size: tuple[int, int, int]) -> KillMatrix:
    """One check and one class, from (size, planted, caught)."""
    sizes = [SizeRecall(size=size, planted=planted, caught=caught) for size, planted, caught in by_size]
    planted, caught = sum(s.planted for s in sizes), sum(s.caught for s in sizes)
    cell = Cell(check="a<b", corruption="row_deleted", planted=planted, caught=caught, by_size=sizes)
    return KillMatrix(
        seed=1,
        checks=["a<b"],
        sizes=[each.size for each in sizes],
        classes=[Class(corruption="row_deleted", planted=planted, caught=caught)],
        cells=[cell],
    )


def test_rows_stand_under_their_kind_of_evidence() -> None:
    """Damage is grouped by what it damages, with the verdict over all checks before those of each."""
    table = matrix_table(proven())
    groups = {group.name: [row.name for row in group.rows] for group in table.groups}
    assert groups == {"ledger": ["row_deleted", "value_flipped"], "replica": ["replica_gap"]}
    assert all(row.whole.recall == 1 for row in table.rows)
    gap = table.rows[-1]
    assert [cell.kind for cell in gap.cells] == ["not-applicable", "caught"]
    assert gap.cells[1].named
    assert "recall between" in gap.cells[1].note


def test_records_hold_every_cell_as_text() -> None:
    """One record a class, one column a check: what the table artifact shows."""
    table = matrix_table(proven())
    records = table.records()
    assert [record["damage"] for record in records] == [row.name for row in table.rows]
    assert {tuple(record) for record in records} == {("evidence", "damage", "any check", *table.checks)}
    assert records[-1]["ledger"] == "–"
    assert records[-1]["replica_rows"].startswith("6 of")


@pytest.mark.parametrize(
    ("recall", "percent"), [(None, 0), (0.0, 0), (1 / 1000, 1), (0.5, 50), (0.9999, 99), (1.0, 100)]
)
def test_only_all_is_all_and_only_none_is_none(recall: float | None, percent: int) -> None:
    """No rounding colours a cell as if everything, or nothing, had been seen."""
    assert DrawnCell("partly", "", recall).percent == percent


def test_an_unknown_class_is_shown_all_the_same() -> None:
    """Evidence from a version with other corruptions is drawn, not refused."""
    matrix = proven()
    renamed = [each.model_copy(update={"corruption": "gone_since"}) for each in matrix.classes[:1]]
    (group,) = matrix_table(matrix.model_copy(update={"classes": renamed})).groups
    assert (group.name, group.rows[0].name, group.rows[0].cells[0].text) == ("other", "gone_since", "–")


def test_the_curve_pools_what_each_check_saw() -> None:
    """The thick line is caught over planted of all classes at each size, from the matrix's own cells."""
    matrix = proven()
    drawn = {curve.check: curve for curve in sensitivity.curves(matrix)}
    assert set(drawn) == {"ledger", "replica_rows"}
    for check, curve in drawn.items():
        cells = [cell for cell in matrix.cells if cell.check == check]
        assert sum(each.planted for each in curve.whole) == sum(cell.planted for cell in cells)
        assert sum(each.caught for each in curve.whole) == sum(cell.caught for cell in cells)
        assert [each.size for each in curve.whole] == sorted(each.size for each in curve.whole)
        assert set(curve.classes) == {cell.corruption for cell in cells if cell.planted}


def test_the_curve_is_sound_svg_that_rises() -> None:
    """A check that sees more of larger damage has a line that goes up; names from outside are escaped."""
    root = ElementTree.fromstring(sensitivity.svg(made((1, 9, 1), (10, 9, 5), (100, 9, 9))))
    dots = [element for element in root.iter() if element.get("class") == "recall-dot"]
    heights = [float(dot.get("cy", "nan")) for dot in dots]
    assert len(heights) == 3
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == sensitivity.TOP
    assert "a<b" in {element.text for element in root.iter()}


@pytest.mark.parametrize("by_size", [[], [(1, 4, 4)]])
def test_one_size_makes_no_curve(by_size: list[tuple[int, int, int]]) -> None:
    """Where nothing was planted, or damage of one size only, there is nothing to draw."""
    assert sensitivity.svg(made(*by_size)) == ""
