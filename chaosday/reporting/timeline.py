"""The timeline of a run as SVG: what clients got, what they waited, and when the faults were on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chaosday.model.history import FAILED, OK, UNKNOWN, History
from chaosday.record.journal import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUCKETS = 160
WIDTH, HEIGHT, LEFT, GAP = 920, 120, 56, 26


@dataclass(frozen=True)
class Span:
    """Something that lasted from ``start_s`` to ``end_s`` after the first operation."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Series:
    """Operations in equal buckets of ``bucket_s``: rates a second, and the 95th percentile of latency."""

    bucket_s: float
    ok_per_s: NDArray[np.float64]
    failed_per_s: NDArray[np.float64]
    unknown_per_s: NDArray[np.float64]
    p95_ms: NDArray[np.float64]

    @property
    def length_s(self) -> float:
        return self.bucket_s * len(self.ok_per_s)


def series(history: History, buckets: int = BUCKETS) -> Series:
    """Count operations by when they ended (by when they began, where they never ended)."""
    start, status = history.integers("start_ns"), history.statuses()
    ended = history.integers("end_ns", null=-1)
    if len(start) == 0:
        empty = np.zeros(1)
        return Series(1.0, empty, empty, empty, np.full(1, np.nan))
    origin = start.min()
    moment = np.where(ended < 0, start, ended) - origin
    span_ns = max(int(moment.max()) + 1, 1)
    bucket = (moment * buckets // span_ns).astype(np.int64)
    bucket_s = span_ns / buckets / 1e9
    ok, failed, unknown = (
        np.bincount(bucket[status == code], minlength=buckets) / bucket_s for code in (OK, FAILED, UNKNOWN)
    )
    done = (status == OK) & (ended >= 0)
    return Series(bucket_s, ok, failed, unknown, _percentile_by(bucket[done], (ended - start)[done] / 1e6, buckets))


def _percentile_by(bucket: NDArray[np.int64], latency_ms: NDArray[np.float64], buckets: int) -> NDArray[np.float64]:
    order = np.lexsort((latency_ms, bucket))
    bucket, latency_ms = bucket[order], latency_ms[order]
    first = np.searchsorted(bucket, np.arange(buckets))
    count = np.searchsorted(bucket, np.arange(buckets), side="right") - first
    place = first + np.ceil(0.95 * count).astype(np.int64) - 1
    found = np.full(buckets, np.nan)
    found[count > 0] = latency_ms[place[count > 0]]
    return found


def spans(records: Iterable[Record], origin_ns: int, end_ns: int) -> list[Span]:
    """The faults and actions in a journal as spans; one that was never healed lasts to the end."""
    names: dict[str, str] = {}
    opened: dict[str, int] = {}
    found: list[Span] = []

    def second(at_ns: int) -> float:
        return (at_ns - origin_ns) / 1e9

    for record in records:
        lease = str(record.data.get("lease_id", ""))
        if record.event == "planned":
            names[lease] = f"{record.data['fault']['kind']} on {record.data['target_name']}"
        elif record.event == "injecting":
            opened[lease] = record.monotonic_ns
        elif record.event in ("clean", "not_clean") and lease in opened:
            began_ns = opened.pop(lease)
            found.append(Span(names[lease], second(began_ns), second(record.monotonic_ns)))
        elif record.event == "action_done":
            moment = second(record.monotonic_ns)
            found.append(Span(str(record.data["kind"]), moment, moment))
    found += [Span(names[lease], second(began_ns), second(end_ns)) for lease, began_ns in opened.items()]
    return sorted(found, key=lambda span: span.start_s)


def svg(data: Series, shaded: list[Span]) -> str:
    """Two stacked plots that share their time axis; colours come from the page's style sheet."""
    rows = len([span for span in shaded if span.end_s > span.start_s])
    top = 14 * rows + 20
    full = top + 2 * HEIGHT + GAP + 30
    parts = [f'<svg class="timeline" viewBox="0 0 {WIDTH} {full}" role="img" aria-label="Timeline of the run">']
    parts += _shades(data, shaded, top, 2 * HEIGHT + GAP)
    parts += _rates(data, top)
    parts += _latency(data, top + HEIGHT + GAP)
    parts += _axis(data, full - 22)
    return "".join([*parts, "</svg>"])


def _x(data: Series, second: float) -> float:
    return LEFT + (WIDTH - LEFT - 8) * min(max(second / data.length_s, 0.0), 1.0)


def _shades(data: Series, shaded: list[Span], top: int, height: int) -> list[str]:
    parts, row, acted = [], 0, 0
    for span in shaded:
        left, right = _x(data, span.start_s), _x(data, span.end_s)
        label = _escape(span.label)
        if span.end_s > span.start_s:
            y = 12 + 14 * row
            row += 1
            parts.append(
                f'<rect class="fault" x="{left:.1f}" y="{top}" width="{max(right - left, 2):.1f}" height="{height}"/>'
                f'<rect class="fault-bar" x="{left:.1f}" y="{y - 8}" width="{max(right - left, 2):.1f}" height="10"/>'
                f'<text class="fault-label" x="{min(left + 4, WIDTH - 190):.1f}" y="{y}">{label}</text>'
            )
        else:
            # Near the right edge there is room only on the other side of the line; and actions follow each
            # other closely, so that their labels take turns on three lines.
            beside, anchor = (left - 4, "end") if left > WIDTH - 160 else (left + 4, "start")
            parts.append(
                f'<line class="action" x1="{left:.1f}" x2="{left:.1f}" y1="{top}" y2="{top + height}"/>'
                f'<text class="action-label" x="{beside:.1f}" text-anchor="{anchor}" '
                f'y="{top + height - 4 - 13 * (acted % 3)}">{label}</text>'
            )
            acted += 1
    return parts


def _rates(data: Series, top: int) -> list[str]:
    highest = max(float((data.ok_per_s + data.failed_per_s + data.unknown_per_s).max()), 1.0)
    parts = _frame(top, f"{highest:,.0f}/s", "operations")
    base = np.zeros(len(data.ok_per_s))
    for name, rate in (("ok", data.ok_per_s), ("failed", data.failed_per_s), ("unknown", data.unknown_per_s)):
        upper = base + rate
        if rate.any():
            parts.append(f'<path class="rate-{name}" d="{_area(data, base / highest, upper / highest, top)}"/>')
        base = upper
    return parts


def _area(data: Series, low: NDArray[np.float64], high: NDArray[np.float64], top: int) -> str:
    xs = [_x(data, (n + 0.5) * data.bucket_s) for n in range(len(low))]
    up = [f"{x:.1f},{top + HEIGHT * (1 - y):.1f}" for x, y in zip(xs, high, strict=True)]
    down = [f"{x:.1f},{top + HEIGHT * (1 - y):.1f}" for x, y in zip(reversed(xs), reversed(low), strict=True)]
    return "M" + "L".join(up + down) + "Z"


def _latency(data: Series, top: int) -> list[str]:
    known = data.p95_ms[~np.isnan(data.p95_ms)]
    highest = float(known.max()) if len(known) else 1.0
    parts = _frame(top, f"{highest:,.1f} ms", "95th percentile of latency")
    floor = max(float(known.min()) if len(known) else 0.01, 0.01)
    scale = max(np.log10(max(highest, floor * 1.01) / floor), 1e-9)
    line: list[str] = []
    for n, latency in enumerate(data.p95_ms):
        if np.isnan(latency):
            continue
        y = top + HEIGHT * (1 - np.log10(max(latency, floor) / floor) / scale)
        gap = n == 0 or np.isnan(data.p95_ms[n - 1])
        line.append(f"{'M' if gap or not line else 'L'}{_x(data, (n + 0.5) * data.bucket_s):.1f},{y:.1f}")
    parts.append(f'<path class="latency" d="{"".join(line)}"/>')
    parts.append(f'<text class="tick" x="{LEFT - 6}" y="{top + HEIGHT}" text-anchor="end">{floor:,.1f} ms</text>')
    return parts


def _frame(top: int, highest: str, title: str) -> list[str]:
    return [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{top}" y2="{top}"/>',
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{top + HEIGHT}" y2="{top + HEIGHT}"/>',
        f'<text class="tick" x="{LEFT - 6}" y="{top + 8}" text-anchor="end">{highest}</text>',
        f'<text class="title" x="{LEFT + 4}" y="{top + 12}">{title}</text>',
    ]


def _axis(data: Series, y: int) -> list[str]:
    step = next((s for s in (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600) if data.length_s / s <= 12), 7200)
    marks = np.arange(0, data.length_s, step)
    return [f'<text class="tick" x="{_x(data, s):.1f}" y="{y}" text-anchor="middle">{s:g} s</text>' for s in marks]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
