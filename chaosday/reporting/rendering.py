"""How every page is made from its template: what is put in is text, never HTML."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from chaosday.record.foreign_words import printable


def page_environment() -> Environment:
    """Escapes HTML, and shows what would turn the direction of writing round or is no character at all as its code."""
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_shown)


def _shown(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
