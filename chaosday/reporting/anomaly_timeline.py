"""A timeline of the operations that a check objects to, as one HTML page without any other file."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chaosday.model.history import NEVER_NS, STATUSES, History
from chaosday.record.transactions import COLUMN, Transactions

_SHOWN = 60
_WIDTH, _ROW, _LEFT = 1000, 26, 90

_STYLE = """
:root{--back:#fff;--ink:#1b1f24;--faint:#6a737d;--line:#d0d7de;--ok:#9ec5fe;--failed:#d0d7de;--unknown:#ffe69c;--bad:#e5534b}
@media screen and (prefers-color-scheme:dark){:root{--back:#0d1117;--ink:#e6edf3;--faint:#8b949e;--line:#30363d;
--ok:#1f6feb;
--failed:#484f58;--unknown:#9e6a03;--bad:#f85149}}
body{background:var(--back);color:var(--ink);font:14px/1.5 system-ui,sans-serif;margin:2rem auto;
max-width:1100px;padding:0 1rem;overflow-wrap:anywhere}
pre{white-space:pre-wrap;border-left:3px solid var(--bad);padding-left:1rem}
svg{width:100%;height:auto;font:11px ui-monospace,monospace}
text{fill:var(--ink)}.faint{fill:var(--faint);color:var(--faint)}line{stroke:var(--line)}
.ok{fill:var(--ok)}.failed{fill:var(--failed)}.unknown{fill:var(--unknown)}.bad{stroke:var(--bad);stroke-width:2}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid var(--line);text-align:left;padding:.3rem .6rem .3rem 0;vertical-align:top}
"""


def page(history: History, result: Mapping[str, Any]) -> str:
    """The page for a result map: what was found, its stories, and the operations concerned in time."""
    title = f"{result.get('file', 'history')} as {result.get('model', 'a history')}"
    verdict = {True: "valid", False: "invalid"}.get(result["valid?"], "unknown")
    reason = html.escape(str(result.get("reason") or ""))
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p><b>{verdict}</b>, {result['examined']} operations examined. {reason}</p>",
        _anomalies(result),
        *(f"<pre>{html.escape(story)}</pre>" for story in _stories(result)),
        _chart(history, list(dict.fromkeys(_operations(result)))[:_SHOWN]),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _anomalies(result: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{result['anomaly-counts'].get(name, len(cases))}</td>"
        f"<td>{html.escape(_first(cases))}</td></tr>"
        for name, cases in result.get("anomalies", {}).items()
    )
    ruled_out = ", ".join(result.get("not") or [])
    after = f"<p>So it is not {html.escape(ruled_out)}.</p>" if ruled_out else ""
    head = '<tr><th scope="col">anomaly</th><th scope="col">times</th><th scope="col">first</th></tr>'
    return f"<table>{head}{rows}</table>{after}" if rows else ""


def _first(cases: Any) -> str:
    case = cases[0] if isinstance(cases, list) and cases else cases
    if isinstance(case, dict):
        case = {name: value for name, value in case.items() if name not in ("story", "steps")}
    return str(case)[:300]


def _stories(result: Mapping[str, Any]) -> list[str]:
    found = [
        case["story"]
        for cases in result.get("anomalies", {}).values()
        for case in cases
        if isinstance(case, dict) and "story" in case
    ]
    return found[:5]


def _operations(result: Mapping[str, Any]) -> Iterable[int]:
    for cases in result.get("anomalies", {}).values():
        for case in cases if isinstance(cases, list) else [cases]:
            if isinstance(case, dict):
                yield from case.get("operations", [])
                yield from case.get("reads", [])
                yield from [case["index"]] if isinstance(case.get("index"), int) else []


def _chart(history: History, indices: list[int]) -> str:
    rows = np.flatnonzero(np.isin(history.integers("index"), indices))
    if not len(rows):
        return ""
    start, end = history.integers("start_ns")[rows], history.ends_ns()[rows]
    known = end[end != NEVER_NS]
    low, high = int(start.min()), int(max(start.max(), known.max(initial=0)))
    scale = (_WIDTH - _LEFT - 10) / max(high - low, 1)
    process = history.integers("process")[rows]
    lanes = {number: lane for lane, number in enumerate(sorted(set(process.tolist())))}
    drawn = [
        f'<text class="faint" x="0" y="{lane * _ROW + 17}">process {number}</text>'
        f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{lane * _ROW + 25}" y2="{lane * _ROW + 25}"/>'
        for number, lane in lanes.items()
    ]
    words = _words(history, rows)
    status = history.statuses()[rows]
    for n in np.argsort(start, kind="stable").tolist():
        x = _LEFT + (int(start[n]) - low) * scale
        until = _WIDTH - 10 if end[n] == NEVER_NS else _LEFT + (int(end[n]) - low) * scale
        y = lanes[int(process[n])] * _ROW + 4
        label = html.escape(words[n])
        drawn.append(
            f'<g><title>{label}</title><rect class="{STATUSES[status[n]]} bad" x="{x:.1f}" y="{y}" '
            f'width="{max(until - x, 3):.1f}" height="18" rx="3"/>'
            f'<text x="{x + 4:.1f}" y="{y + 13}">{label[:60]}</text></g>'
        )
    caption = f"{(high - low) / 1e6:.3f} ms from left to right; a bar to the right edge has no known end."
    height = len(lanes) * _ROW + 4
    attributes = f'role="img" aria-label="The operations concerned, in time" viewBox="0 0 {_WIDTH} {height}"'
    return f'<svg {attributes}>{"".join(drawn)}</svg><p class="faint">{caption}</p>'


def _words(history: History, rows: Any) -> list[str]:
    part = history.table.take(rows)
    txns = Transactions.from_column(part[COLUMN]) if COLUMN in part.column_names else None
    words = []
    for n, row in enumerate(part.select(["index", "f", "key", "value", "result"]).to_pylist()):
        if txns is not None:
            said = " ".join(f"{f} {key} {value}" for f, key, value in txns.mops(n))
        else:
            shown = [row["key"], row["value"], None if row["result"] is None else f"→ {row['result']}"]
            said = " ".join(str(item) for item in shown if item is not None)
        words.append(f"{row['index']}: {row['f']} {said}")
    return words
