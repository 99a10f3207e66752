"""The sensitivity curve as SVG: the size of damage against the share of it that was seen, a panel for each check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from chaosday.judging.sight import KillMatrix, SizeRecall
from chaosday.statistics import wilson

WIDTH, PANELS_A_ROW = 920, 3
PANEL, HEIGHT, LEFT, TOP, BOTTOM = 300, 120, 38, 26, 40


@dataclass(frozen=True)
class Curve:
    """What one check saw of damage of each size: over all classes (``whole``), and class by class."""

    check: str
    whole: list[SizeRecall]
    classes: dict[str, list[SizeRecall]]


def curves(matrix: KillMatrix) -> list[Curve]:
    """One for each check in whose sight anything was planted; sizes in rising order."""
    found = []
    for check in matrix.checks:
        cells = {cell.corruption: cell.by_size for cell in matrix.cells if cell.check == check and cell.planted}
        sizes = sorted({each.size for by_size in cells.values() for each in by_size})
        whole = [_pooled([each for by_size in cells.values() for each in by_size if each.size == s]) for s in sizes]
        if whole:
            found.append(Curve(check, whole, cells))
    return found


def svg(matrix: KillMatrix) -> str:
    """All panels in one picture; empty where damage of one size only was planted. Colours are the page's."""
    drawn = curves(matrix)
    sizes = sorted({each.size for curve in drawn for each in curve.whole})
    if len(sizes) < 2:
        return ""
    rows = -(-len(drawn) // PANELS_A_ROW)
    height = rows * (TOP + HEIGHT + BOTTOM)
    parts = [
        f'<svg class="timeline sensitivity" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="Sensitivity: recall by size of damage, for each check">'
    ]
    for number, curve in enumerate(drawn):
        x = number % PANELS_A_ROW * (PANEL + 10)
        y = number // PANELS_A_ROW * (TOP + HEIGHT + BOTTOM)
        parts.append(f'<g transform="translate({x} {y})">{"".join(_panel(curve, sizes))}</g>')
    return "".join([*parts, "</svg>"])


def _pooled(cells: Sequence[SizeRecall]) -> SizeRecall:
    return SizeRecall(
        size=cells[0].size, planted=sum(each.planted for each in cells), caught=sum(each.caught for each in cells)
    )


def _panel(curve: Curve, sizes: Sequence[int]) -> list[str]:
    parts = [f'<text class="title" x="{LEFT}" y="14">{escape(curve.check)}</text>']
    for share in (0, 0.5, 1):
        y = _y(share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{PANEL}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for size in sizes:
        x = _x(size, sizes)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{size:,}</text>')
    parts.append(
        f'<text class="tick" x="{(LEFT + PANEL) / 2:.0f}" y="{TOP + HEIGHT + 30}" text-anchor="middle">'
        "damaged items</text>"
    )
    for name, by_size in curve.classes.items():
        parts.append(f'<path class="one-class" d="{_line(by_size, sizes)}"><title>{escape(name)}</title></path>')
    return parts + _pooled_line(curve.whole, sizes)


def _pooled_line(whole: Sequence[SizeRecall], sizes: Sequence[int]) -> list[str]:
    """The recall over all classes with Wilson's 95 % band, and a dot that says the figures."""
    bounds = [wilson(each.caught, each.planted) for each in whole]
    up = [f"{_x(each.size, sizes):.1f},{_y(bound.high):.1f}" for each, bound in zip(whole, bounds, strict=True)]
    down = [f"{_x(each.size, sizes):.1f},{_y(bound.low):.1f}" for each, bound in zip(whole, bounds, strict=True)]
    parts = [f'<path class="band" d="M{"L".join(up + down[::-1])}Z"/>']
    parts.append(f'<path class="recall" d="{_line(whole, sizes)}"/>')
    for each in whole:
        said = f"{each.caught} of {each.planted} seen at {each.size:,} damaged"
        x, y = _x(each.size, sizes), _y(each.caught / each.planted)
        parts.append(f'<circle class="recall-dot" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{said}</title></circle>')
    return parts


def _line(by_size: Sequence[SizeRecall], sizes: Sequence[int]) -> str:
    points = [(_x(each.size, sizes), _y(each.caught / each.planted)) for each in by_size if each.planted]
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _x(size: int, sizes: Sequence[int]) -> float:
    """Sizes grow by factors, so the axis is logarithmic; half a step of room on both sides keeps dots inside."""
    low, high = log10(sizes[0]), log10(sizes[-1])
    return LEFT + 14 + (PANEL - LEFT - 28) * (log10(size) - low) / (high - low)


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)
