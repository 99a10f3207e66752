"""Words that somebody else chose (a target, a file, a row, an environment), made safe for where they are shown.

Nothing that a target says is markup. A store whose error message holds ``[/x]`` ended a run's last words with an
exception, ``\\x1b]52;c;...`` wrote into the clipboard of whoever looked on, and a table's name with a pipe in it drew
cells of its own into an artifact. Every printing path takes foreign words through one of these; what is printed in a
terminal goes through ``reporting.terminal``, which does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

# Controls (C0, C1), what turns the direction of writing round, tags, lone surrogates, separators of lines.
_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Of Cf, what some scripts and emoji are spelt with; of Cc, what a text is laid out with.
_KEPT = frozenset("\n\t\u200c\u200d")
_NO_CHARACTERS = frozenset("\ufffe\uffff")
_MARKUP = re.compile(r"[\\`*_{}\[\]()#+!|~^$=-]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "://": ":&#47;/", "www.": "www&#46;"}
_BARE = re.compile("|".join(map(re.escape, _ENTITIES)), re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)([.)])")


def printable(words: object) -> str:
    """Text in which nothing moves a cursor, sets a colour, makes a link or turns the direction of writing round.

    What does is shown as its code, ``\\x1b``; line ends and tabs stay. XML and HTML have a place for all that is left.
    """
    text = str(words)
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _shown(character) else _code(character) for character in text)


def one_line(words: object) -> str:
    """``printable``, on one line."""
    return " ".join(printable(words).split())


def json_text(text: str) -> str:
    """JSON that says the same and that a terminal shows as it is: what ``printable`` shows as a code is escaped."""
    if text.isascii() and "\x7f" not in text:
        return text  # the encoder has escaped every other control of ASCII
    return "".join(character if _shown(character) else _json_code(character) for character in text)


def in_markdown(words: object) -> str:
    """For a Markdown document: one line in which nothing is markup, a link or HTML, a bare address neither."""
    text = _MARKUP.sub(lambda found: f"\\{found[0]}", one_line(words))
    return _NUMBERED.sub(r"\1\\\2", _BARE.sub(lambda found: _ENTITIES[found[0].lower()], text))


def markdown_cells(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table artifact, whose cells are shown as Markdown where they are text."""
    return [
        {name: in_markdown(value) if isinstance(value, str) else value for name, value in record.items()}
        for record in records
    ]


def fenced(words: object, language: str = "") -> list[str]:
    """The lines of a block of code in a Markdown document, which nothing in it can end."""
    text = printable(words)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text)), 3)
    return [f"{fence}{language}", *text.splitlines(), fence]


def _shown(character: str) -> bool:
    if character in _KEPT:
        return True
    return unicodedata.category(character) not in _CONTROL and character not in _NO_CHARACTERS


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_code(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
