"""Statements put together from quoted parts; nothing from outside enters one unquoted."""

from __future__ import annotations

from collections.abc import Iterable


def ident(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def tick(name: str) -> str:
    """A name as a quoted identifier of MySQL."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as a standard SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def listed(parts: Iterable[str]) -> str:
    """Parts with commas between."""
    return ", ".join(parts)


def statement(template: str, **parts: object) -> str:
    """Fill a template with parts that are already SQL."""
    return template.format(**parts)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """A name of ours that no column has, in any case: engines differ in whether case counts."""
    known = {name.lower() for name in taken}
    while wanted.lower() in known:
        wanted += "_"
    return wanted
