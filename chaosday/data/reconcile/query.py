"""A query as a person writes it, with comments and a semicolon, made fit to stand in parentheses."""

from __future__ import annotations

import re

from chaosday.errors import UsageError

_TOKENS = re.compile(
    r"""(?P<skipped>\s+|--[^\n]*|/\*(?![!+]).*?\*/)
      | (?P<end>;)
      | (?P<quoted>[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`
        | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<word>\w+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_BACKSLASHED = re.compile(r"(?P<quoted>'(?:[^'\\]|\\.|'')*' | \"(?:[^\"\\]|\\.|\"\")*\")", re.VERBOSE | re.DOTALL)
_STARTS = frozenset({"select", "with", "values", "table"})


def is_query(text: str) -> bool:
    """Whether a text begins with a reading statement, after comments and parentheses, and is no table's name."""
    for token in _TOKENS.finditer(text):
        if token["skipped"] or token["other"] == "(":
            continue
        return (token["word"] or "").lower() in _STARTS and token.end() < len(text.rstrip())
    return False


def bare_query(text: str, *, backslashes: bool = False) -> str:
    """The one statement in a text, without what stands around it; ``UsageError`` where there is another.

    ``backslashes``: whether a backslash in a quoted text hides the quote after it, as in MySQL.
    """
    at = last = 0
    ended = False
    while at < len(text):
        quoted = _BACKSLASHED.match(text, at) if backslashes else None
        token = quoted or _TOKENS.match(text, at)
        if token is None:
            break
        at = token.end()
        if not quoted and token["skipped"]:
            continue
        if not quoted and token["end"]:
            ended = True
            continue
        if ended:
            raise UsageError("the query holds more than one statement; give one SELECT")
        last = at
    return text[:last].strip()
