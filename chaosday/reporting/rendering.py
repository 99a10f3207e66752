"""How every page is made from its template: what is put in is text, never HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaosday.record.foreign_words import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def page_environment() -> Environment:
    """Escapes HTML, and shows what would turn the direction of writing round or is no character at all as its code."""
    from jinja2 import Environment

    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_shown)


def _shown(value: Any) -> Any:
    from markupsafe import Markup

    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
