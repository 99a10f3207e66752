"""The page of an exploration or a sweep: what was tried, what was found, and how it was shrunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup

from chaosday.reporting.rendering import page_environment


@dataclass(frozen=True)
class Shown:
    """A section: a head, a sentence, rows under their columns, and a text to be taken away."""

    head: str
    words: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    text: str = ""
    picture: str = ""
    """SVG made by ``reporting.dose_response``."""


def page(title: str, outcome: str, words: str, sections: Sequence[Shown]) -> str:
    """Self-contained HTML; ``outcome`` is a verdict's word and ``words`` what is said beside it."""
    folder = resources.files("chaosday.reporting") / "templates"
    template = page_environment().from_string((folder / "exploration.html.j2").read_text())
    shown = [(each, Markup(each.picture)) for each in sections]  # made of numbers, and of words escaped there
    return template.render(
        style=(folder / "style.css").read_text(), title=title, outcome=outcome, words=words, sections=shown
    )
