"""The page of a campaign: what was proven, with what and when, and what is to be done; small however many runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chaosday.campaign.campaigning import Series
from chaosday.campaign.coverage import Covered
from chaosday.campaign.drilled import Drilled, to_do, todays
from chaosday.campaign.restored import Restored
from chaosday.campaign.summary import RunSummary, name_and_version
from chaosday.reporting.rendering import page_environment

RUNS_SHOWN = 12
PARTS_SHOWN = 3
MONTHS_SHOWN = 12
NEXT_SHOWN = 12
SERIES_SHOWN = 200
CELLS_SHOWN = 2_000


def page(
    series: Sequence[Series],
    covered: Sequence[Covered] = (),
    expires_days: float = 0,
    systems: Sequence[Drilled] = (),
    links: Mapping[str, str] | None = None,
    restores: Sequence[Restored] = (),
) -> str:
    """Self-contained HTML without a script; ``links`` are addresses of reports by the ``id`` of their run.

    Of thousands of runs each experiment shows the newest few; of more experiments and cells than a page can hold it
    shows the worst, and says how many there are.
    """
    environment = page_environment()
    folder = resources.files("chaosday.reporting") / "templates"
    template = environment.from_string((folder / "campaign.html.j2").read_text())
    cells = todays(covered)
    following = to_do(covered, systems, series, restores)
    shown = sorted(series, key=lambda each: (not _bad(each), each.title))[:SERIES_SHOWN]
    return template.render(
        style=(folder / "style.css").read_text(),
        series=[_line(each, links or {}) for each in shown],
        series_left=len(series) - len(shown),
        runs=sum(len(each.runs) for each in series),
        counts={state: sum(cell.state == state for cell in cells) for state in ("fresh", "expired", "never")},
        systems=_tables(cells),
        cells_left=max(0, len(cells) - CELLS_SHOWN),
        drilled=systems,
        following=following[:NEXT_SHOWN],
        following_left=max(0, len(following) - NEXT_SHOWN),
        days=expires_days,
    )


def links_to(runs: Sequence[RunSummary], places: Mapping[str, str], page_folder: Path) -> dict[str, str]:
    """Addresses of reports that are there, as seen from the page's folder, of the runs that a page shows."""
    newest: dict[str, list[RunSummary]] = {}
    for run in runs:
        newest.setdefault(run.title, []).append(run)
    found = {}
    for run in (each for listed in newest.values() for each in listed[-RUNS_SHOWN:]):
        report = Path(places[run.id]) / "report.html"
        if report.is_file():
            found[run.id] = quote(os.path.relpath(report, page_folder.resolve()))
    return found


def _bad(series: Series) -> bool:
    return bool(series.runs) and series.runs[-1].outcome != "pass"


def _line(series: Series, links: Mapping[str, str]) -> dict[str, Any]:
    """One experiment in one line: its trend by month, its newest runs, and what it all bounds."""
    months = series.by_month[-MONTHS_SHOWN:]
    most = max((month.passes + month.violations for month in months), default=0)
    bars = [
        {"x": 9 * place, "all": _high(month.passes + month.violations, most), "bad": _high(month.violations, most)}
        for place, month in enumerate(months)
    ]
    said = "; ".join(f"{month.name}: {month.passes} passed, {month.violations} violated" for month in months)
    return {
        "is": series,
        "runs": [(run, links.get(run.id, "")) for run in series.runs[-RUNS_SHOWN:]],
        "earlier": max(0, len(series.runs) - RUNS_SHOWN),
        "bars": bars,
        "months": said,
        "versions": series.by_version[-PARTS_SHOWN:],
    }


def _high(count: int, most: int) -> int:
    return max(2, round(24 * count / most)) if count else 0


def _tables(cells: Sequence[Covered]) -> list[dict[str, Any]]:
    """One table a system: faults down, detectors across; None where no experiment has the two together."""
    found: dict[str, dict[tuple[str, str], Covered]] = {}
    for each in sorted(cells, key=lambda one: one.state == "fresh")[:CELLS_SHOWN]:
        found.setdefault(name_and_version(each.system)[0], {})[each.fault, each.check] = each
    tables = []
    for name, by in sorted(found.items()):
        faults, checks = sorted({fault for fault, _ in by}), sorted({check for _, check in by})
        rows = [(fault, [_cell(by.get((fault, check))) for check in checks]) for fault in faults]
        tables.append({"name": name, "checks": checks, "rows": rows})
    return tables


def _cell(covered: Covered | None) -> dict[str, Any] | None:
    if covered is None:
        return None
    return {"is": covered, "version": name_and_version(covered.system)[1]}
