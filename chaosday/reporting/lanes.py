"""The lane picture of a pipeline drill: asks by channel, crash states as bands, failing points marked and linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from chaosday.record.foreign_words import printable

COLUMNS, COLUMN, LANE, LEFT, TOP, GAP = 28, 30, 26, 110, 18, 16
LANES = 8
"""How many channels have a lane of their own; those beyond share the last one."""
_LABEL = 16
END = "end"


def picture(said: Mapping[str, Any]) -> str:
    """SVG of what a drill saw (its ``lanes``, ``attempts`` and ``causes``); empty for one that drew none.

    A mark is a point: hollow where it was tried and nothing was found, filled and linked to ``#cause-N`` where
    something was. Colours are the page's. It needs no script; each row holds ``COLUMNS`` asks.
    """
    asks: list[Mapping[str, Any]] = list(said.get("lanes", {}).get("asks", []))
    if not asks:
        return ""
    marks = _marks(said)
    channels = list(dict.fromkeys(str(ask["channel"]) for ask in asks))
    lane_of = {name: min(place, LANES - 1) for place, name in enumerate(channels)}
    names = channels[:LANES]
    if len(channels) > LANES:
        names[-1] = f"{len(channels) - LANES + 1} others"
    height = TOP + LANE * len(names) + GAP
    rows = [asks[begin : begin + COLUMNS] for begin in range(0, len(asks), COLUMNS)]
    if len(rows[-1]) == COLUMNS:
        rows.append([])
    width = LEFT + COLUMNS * COLUMN
    drawn = [
        f'<svg class="lanes" viewBox="0 0 {width} {height * len(rows)}" role="group" '
        'aria-label="Asks by channel, crash states as bands; failing points lead to their stories">'
    ]
    for number, row in enumerate(rows):
        drawn.append(f'<g transform="translate(0 {height * number})">')
        last = number == len(rows) - 1
        drawn += _bands(row, len(names))
        drawn += _lanes(names, len(row) + last)
        drawn += [part for place, ask in enumerate(row) for part in _ask(ask, place, lane_of, marks)]
        if last:
            drawn += _mark(marks.get((END, "")), LEFT + (len(row) + 0.5) * COLUMN, _middle(0), "the end")
        drawn.append("</g>")
    return "".join([*drawn, "</svg>"])


def _marks(said: Mapping[str, Any]) -> dict[tuple[str, str], tuple[int, str]]:
    """By ask and side, the number of the first cause that was found there (0 for none), and what was tried."""
    causes = {point: number for number, cause in enumerate(said["causes"], start=1) for point in cause["points"]}
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for each in said["attempts"]:
        number, side = [*str(each["point"]).split("."), ""][:2]
        cause, tried = found.get((number, side), (0, ""))
        kinds = ", ".join(sorted({str(one["kind"]) for one in each["differences"]}))
        words = f"{each['way']}: {(kinds or 'as it should be') if each['hit'] else 'not hit'}"
        found[number, side] = (cause or causes.get(each["point"], 0), f"{tried}; {words}" if tried else words)
    return found


def _bands(row: Sequence[Mapping[str, Any]], lanes: int) -> list[str]:
    """A band for each crash state of a row: it begins where an ask that leads to it has been answered."""
    bands: list[tuple[int, float]] = []
    for place, ask in enumerate(row):
        for state, begin in ((ask["before"], float(place)), (ask["after"], place + 0.5)):
            if not bands or bands[-1][0] != state:
                bands.append((int(state), begin))
    drawn = []
    for (state, begin), (_, end) in pairwise([*bands, (0, float(len(row)))]):
        x, width = LEFT + begin * COLUMN, (end - begin) * COLUMN
        tone = "odd" if state % 2 else "even"
        drawn.append(
            f'<rect class="state {tone}" x="{x:.1f}" y="0" width="{width:.1f}" height="{TOP + LANE * lanes}">'
            f"<title>crash state {state}</title></rect>"
            f'<text x="{x + 3:.1f}" y="12">{state}</text>'
        )
    return drawn


def _lanes(names: Sequence[str], columns: int) -> list[str]:
    right = LEFT + columns * COLUMN
    return [
        f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{_middle(lane)}" y2="{_middle(lane)}"/>'
        f'<text x="0" y="{_middle(lane) + 4}">{_text(name if len(name) <= _LABEL else name[: _LABEL - 1] + "…")}</text>'
        for lane, name in enumerate(names)
    ]


def _ask(
    ask: Mapping[str, Any], place: int, lane_of: Mapping[str, int], marks: Mapping[tuple[str, str], tuple[int, str]]
) -> list[str]:
    x, y, number = LEFT + place * COLUMN, _middle(lane_of[str(ask["channel"])]), str(ask["number"])
    words = _text(f"{number}: {ask['text']}")
    drawn = [
        f'<rect class="ask{" left" if ask["before"] != ask["after"] else ""}" x="{x + 8}" y="{y - 3}"'
        f' width="{COLUMN - 16}" height="6"><title>{words}</title></rect>'
    ]
    for side, at in (("before", x + 8), ("after", x + COLUMN - 8)):
        drawn += _mark(marks.get((number, side)), at, y, f"{number}.{side}, {ask['text']}")
    return drawn


def _mark(mark: tuple[int, str] | None, x: float, y: float, where: str) -> list[str]:
    if mark is None:
        return []
    cause, words = mark
    title = f"<title>{_text(f'{where}: {words}')}</title>"
    if not cause:
        return [f'<circle class="tried" cx="{x:.1f}" cy="{y}" r="2.5">{title}</circle>']
    # A shape of its own: who sees no colours finds it, too.
    shape = f'<path class="failing" d="M{x:.1f} {y - 8} l5 8 l-5 8 l-5 -8 z"/>'
    return [f'<a href="#cause-{cause}" aria-label="{_text(f"{where}: {words}")}">{title}{shape}</a>']


def _middle(lane: int) -> int:
    return TOP + lane * LANE + LANE // 2


def _text(words: str) -> str:
    return escape(printable(words), quote=True)
