"""The page of a campaign: each experiment's runs in a row, its pooled bound, and what it covers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from chaosday.campaign.campaigning import Series
from chaosday.campaign.coverage import Covered
from chaosday.reporting.rendering import page_environment


def page(series: Sequence[Series], covered: Sequence[Covered] = (), expires_days: float = 0) -> str:
    """Self-contained HTML; ``covered`` are the cells of the coverage tables, one table a system."""
    environment = page_environment()
    folder = resources.files("chaosday.reporting") / "templates"
    template = environment.from_string((folder / "campaign.html.j2").read_text())
    return template.render(
        style=(folder / "style.css").read_text(), series=series, systems=_tables(covered), days=expires_days
    )


def _tables(covered: Sequence[Covered]) -> list[dict[str, Any]]:
    """One table a system: faults down, detectors across; None where no experiment has the two together."""
    tables = []
    for system in sorted({each.system for each in covered}):
        cells = {(each.fault, each.check): each for each in covered if each.system == system}
        faults, checks = sorted({fault for fault, _ in cells}), sorted({check for _, check in cells})
        rows = [(fault, [cells.get((fault, check)) for check in checks]) for fault in faults]
        tables.append({"name": system, "checks": checks, "rows": rows})
    return tables
