"""Words that somebody else chose (a target, a file, a row, an environment), made safe for where they are shown.

Nothing that a target says is markup. A store whose error message holds ``[/x]`` ended a run's last words with an
exception, ``\\x1b]52;c;...`` wrote into the clipboard of whoever looked on, and a table's name with a pipe in it drew
cells of its own into an artifact. Every printing path takes foreign words through one of these.
"""

from __future__ import annotations

import re
import unicodedata

# C0 and C1, the line and paragraph separators, what turns the direction of writing round, tags, lone surrogates.
_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_KEPT = "\n\t"
# Cf also holds what some scripts and emoji are spelt with.
_JOINERS = "\u200c\u200d"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~^$]|^[-=>]|^\d+(?=[.)]))", re.MULTILINE)


def printable(words: object) -> str:
    """Text in which nothing moves a cursor, sets a colour, makes a link or turns the direction of writing round.

    What does is shown as its code, ``\\x1b``; line ends and tabs stay.
    """
    text = str(words)
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _shown(character) else _code(character) for character in text)


def one_line(words: object) -> str:
    """``printable``, on one line."""
    return " ".join(printable(words).split())


def terminal(words: object) -> str:
    """For a template of rich's: printable, with nothing in it that rich takes for a tag."""
    # A backslash at the end would take the meaning of the tag that follows; doubled, it stands for itself.
    escaped = re.sub(
        r"(\\*)(\[[a-z#/@][^[]*?])", lambda found: f"{found[1] * 2}\\{found[2]}", printable(words), flags=re.I
    )
    return f"{escaped}\\" if len(escaped) - len(escaped.rstrip("\\")) & 1 else escaped


def markdown(words: object) -> str:
    """For a Markdown document: one line in which nothing is markup, a link, an image or HTML."""
    text = one_line(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A renderer makes a link of a bare address as well.
    text = _MARKDOWN.sub(r"\\\1", text)
    return re.sub(r"(?i)\b(https?|ftp|mailto|www)([:.])", r"\1&#8203;\2", text)


def code(words: object) -> str:
    """For a Markdown document: a span of code that holds the words as they are."""
    text = one_line(words)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if "`" in text or not text else f"{fence}{text}{fence}"


def _shown(character: str) -> bool:
    return character in _KEPT or character in _JOINERS or unicodedata.category(character) not in _CONTROL


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
