"""What is printed in a terminal, by every command: words of others are words there, whatever they hold."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NoReturn

import click
import orjson

from chaosday.record.foreign_words import json_text, one_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column
    from rich.text import Text

Styled = tuple[object, str]
"""Words, and rich's style for them."""


def say(words: object, *, err: bool = False) -> None:
    """Print one line on standard output, or on standard error: a line end in it cannot make up another one."""
    click.echo(printable(words).replace("\n", "\\n"), err=err)


def say_text(words: object) -> None:
    """Print a text of several lines on standard output."""
    click.echo(printable(words))


def say_json(data: Any, *, indent: bool = False) -> None:
    """Print one JSON document, in one line or indented."""
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY | (orjson.OPT_INDENT_2 if indent else 0)
    click.echo(json_text(orjson.dumps(data, option=options, default=str).decode()))


def plain(*parts: object | Styled, style: str = "") -> Text:
    """Words for a console or for the cell of a table, one after the other; a pair is words and their style.

    Whatever is printed by rich is made by this: a ``str`` would be read as rich's markup, even in a table's head.
    """
    from rich.text import Text

    text = Text(style=style)
    for part in parts:
        words, own = part if isinstance(part, tuple) else (part, "")
        text.append(printable(words), own or None)
    return text


def brief(words: object, characters: int = 300) -> Text:
    """``plain``, on one line and not longer than that: for what would push everything else out of sight."""
    text = one_line(words)
    return plain(text if len(text) <= characters else f"{text[: characters - 1]}…")


def columns(*names: object) -> list[Column]:
    """Columns of a table in which a word that is too long goes on in the next line: no name is cut."""
    from rich.table import Column

    return [Column(plain(name), overflow="fold") for name in names]


def console(*, err: bool = False) -> Console:
    """A console that takes no text for markup, whoever wrote it."""
    from rich.console import Console

    made = Console(stderr=err, highlight=False, markup=False, emoji=False)
    # rich ends the program with exit code 1, which is a verdict.
    made.on_broken_pipe = _nobody_reads  # type: ignore[method-assign]
    return made


def _nobody_reads() -> NoReturn:
    raise BrokenPipeError(errno.EPIPE, "nobody reads the output")
