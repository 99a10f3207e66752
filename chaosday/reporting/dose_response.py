"""A dose-response curve as SVG: the share of runs that broke at each dose, with intervals and the breaking point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 220, 46, 16, 16, 44


@dataclass(frozen=True)
class Dose:
    """One dose: the share that broke, and its interval."""

    value: float
    share: float
    low: float
    high: float
    words: str


def svg(doses: Sequence[Dose], label: str, point: tuple[float | None, float, float]) -> str:
    """The picture; ``point`` is the breaking point, None for none, and its interval. Colours are the page's."""
    if len(doses) < 2:
        return ""
    values = [each.value for each in doses]
    parts = [
        f'<svg class="timeline sensitivity" viewBox="0 0 {WIDTH} {TOP + HEIGHT + BOTTOM}" role="img" '
        f'aria-label="{escape(f"Share of runs that broke, by {label}", quote=True)}">'
    ]
    parts += [_across(share) for share in (0, 0.5, 1)]
    if point[0] is not None:
        parts += _band(values, point)
    line = " ".join(f"{'M' if not n else 'L'}{_x(e.value, values):.1f} {_y(e.share):.1f}" for n, e in enumerate(doses))
    parts.append(f'<path class="recall" d="{line}"/>')
    for each in doses:
        x = _x(each.value, values)
        parts.append(
            f'<line class="recall" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(each.high):.1f}" y2="{_y(each.low):.1f}"/>'
        )
        told = f"<title>{escape(each.words)}</title>"
        parts.append(f'<circle class="recall-dot" cx="{x:.1f}" cy="{_y(each.share):.1f}" r="4">{told}</circle>')
        parts.append(_text(x, TOP + HEIGHT + 18, f"{each.value:g}"))
    parts.append(_text((LEFT + WIDTH) / 2, TOP + HEIGHT + 36, escape(label)))
    return "".join([*parts, "</svg>"])


def _band(values: Sequence[float], point: tuple[float | None, float, float]) -> list[str]:
    value, low, high = point
    left, right = _x(low, values), _x(high, values)
    middle = _x(value or 0, values)
    return [
        f'<rect class="band" x="{left:.1f}" y="{TOP}" width="{max(1.0, right - left):.1f}" height="{HEIGHT}">'
        "<title>where half of the runs break</title></rect>",
        f'<line class="action" x1="{middle:.1f}" x2="{middle:.1f}" y1="{TOP}" y2="{TOP + HEIGHT}"/>',
    ]


def _across(share: float) -> str:
    y = _y(share)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
    )


def _text(x: float, y: float, words: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.0f}" text-anchor="middle">{words}</text>'


def _x(value: float, values: Sequence[float]) -> float:
    low, high = values[0], values[-1]
    if low > 0:
        low, high, value = log10(low), log10(high), log10(max(value, 1e-300))
    return LEFT + (WIDTH - RIGHT - LEFT) * min(1.0, max(0.0, (value - low) / (high - low)))


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)
