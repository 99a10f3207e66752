"""The page of a campaign: each experiment's runs in a row, its pooled bound, and what it covers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment

from chaosday.campaigning import Series


def page(series: Sequence[Series]) -> str:
    """Self-contained HTML."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    folder = resources.files("chaosday.reporting") / "templates"
    template = environment.from_string((folder / "campaign.html.j2").read_text())
    return template.render(style=(folder / "style.css").read_text(), series=series)
