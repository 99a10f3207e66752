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


def free_names(wanted: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Each name, with something after it where it is taken, in any case: engines differ in whether case counts."""
    known = {name.lower() for name in taken}
    free = []
    for name in wanted:
        while name.lower() in known:
            name += "_"  # noqa: PLW2901 - the name that it gets
        known.add(name.lower())
        free.append(name)
    return free
