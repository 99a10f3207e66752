"""EDN, the notation that Jepsen writes its histories in: a reader of all of it, and a writer.

Maps become dicts, vectors and lists and sets become lists, keywords become ``Keyword`` (a ``str``),
tagged records such as ``#jepsen.history.Op{...}`` become what they tag. See
https://github.com/edn-format/edn.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any

from chaosday.errors import MalformedHistory

_TOKEN = re.compile(
    r"""[\s,]+|;[^\n]*                                   # nothing
    |(?P<open>\#\{|[\[({])|(?P<close>[\])}])
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<integer>[+-]?\d+N?(?=[\s,\])}"{\[(;]|$))
    |(?P<char>\\(?:newline|space|tab|return|backspace|formfeed|u[0-9a-fA-F]{4}|.))
    |(?P<discard>\#_)|(?P<special>\#\#[A-Za-z]+)|(?P<regex>\#"(?:[^"\\]|\\.)*")|(?P<tag>\#[A-Za-z][^\s,\[\](){}";]*)|(?P<meta>\^)
    |(?P<atom>[^\s,\[\](){}";\#^\\][^\s,\[\](){}";]*)
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIR = {"[": "]", "(": ")", "{": "}", "#{": "}"}
_CHARS = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r", "backspace": "\b", "formfeed": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_ATOMS: dict[str, Any] = {"nil": None, "true": True, "false": False}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?M?|[+-]?\d+/\d+")


class Keyword(str):
    """An EDN keyword without its colon; equal to the string, and written back as a keyword."""

    __slots__ = ()


class _Frame:
    __slots__ = ("items", "kind", "line_at", "prefix")

    def __init__(self, kind: str, line_at: int) -> None:
        self.kind = kind
        self.items: list[Any] = []
        self.line_at = line_at
        self.prefix: list[str] = []  # pending discard, tag or meta marks


def forms(text: str) -> Iterator[tuple[Any, int]]:
    """Every top-level form with the position of its first character; ``MalformedHistory`` with the line."""
    top = _Frame("", 0)
    stack = [top]
    at, end = 0, len(text)
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise MalformedHistory(f"this is not EDN: {text[at : at + 30]!r}", line_of(text, at))
        kind, word, start, at = match.lastgroup, match.group(), match.start(), match.end()
        if kind is None:
            continue
        frame = stack[-1]
        if kind == "open":
            stack.append(_Frame(word, start))
            continue
        if kind in ("discard", "tag", "meta"):
            frame.prefix.append(kind)
            continue
        if kind == "close":
            value, start = _closed(stack, word, text, start)
            frame = stack[-1]
        else:
            value = _scalar(kind, word, text, start)
        _put(frame, value)
        if frame is top and top.items:
            yield top.items.pop(), start
    if len(stack) > 1:
        raise MalformedHistory(
            f"the file ends inside the {stack[-1].kind} opened here", line_of(text, stack[-1].line_at)
        )


def line_of(text: str, at: int) -> int:
    """The 1-based line of a position."""
    return text.count("\n", 0, at) + 1


def lines_of(text: str, positions: list[int]) -> list[int]:
    """The 1-based lines of ascending positions."""
    breaks = [match.start() for match in re.finditer("\n", text)]
    return [bisect_right(breaks, at - 1) + 1 for at in positions]


def top_vector(text: str) -> list[tuple[Any, int]]:
    """The forms of a file, or of the one vector or list that is the whole file, with positions."""
    stripped = text.lstrip()
    opening = len(text) - len(stripped)
    found = list(forms(text))
    if len(found) == 1 and isinstance(found[0][0], list) and stripped[:1] in "([":
        inner = text[:opening] + " " + text[opening + 1 : text.rindex({"(": ")", "[": "]"}[stripped[0]])]
        return list(forms(inner))
    return found


def dumps(value: Any) -> str:
    """A value as EDN: dict keys and ``Keyword`` as keywords, lists as vectors."""
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    if isinstance(value, Keyword):
        return f":{value}"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        pairs = (f"{dumps(Keyword(key) if isinstance(key, str) else key)} {dumps(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(map(dumps, value)) + "]"
    return repr(value)


def _closed(stack: list[_Frame], word: str, text: str, at: int) -> tuple[Any, int]:
    if len(stack) == 1 or _PAIR[stack[-1].kind] != word:
        raise MalformedHistory(f"{word} closes nothing that is open", line_of(text, at))
    frame = stack.pop()
    if frame.prefix:
        raise MalformedHistory("a mark (#_, #tag or ^) with nothing after it", line_of(text, at))
    if frame.kind != "{":
        return frame.items, frame.line_at
    if len(frame.items) % 2:
        raise MalformedHistory("a map with a key and no value", line_of(text, frame.line_at))
    keys = [tuple(key) if isinstance(key, list) else key for key in frame.items[::2]]
    return dict(zip(keys, frame.items[1::2], strict=True)), frame.line_at


def _put(frame: _Frame, value: Any) -> None:
    if not frame.prefix:
        frame.items.append(value)
        return
    mark = frame.prefix.pop()
    if mark == "tag":
        _put(frame, value)
    # A discarded form, or the metadata of the next one: gone.


def _scalar(kind: str, word: str, text: str, at: int) -> Any:
    if kind == "integer":
        number = int(word.rstrip("N"))
        # Nothing downstream holds more than 64 bits; as text it is still the same value everywhere.
        return number if -(2**63) < number < 2**63 else f"{number}N"
    if kind == "string":
        return _unescaped(word[1:-1])
    if kind == "atom":
        return _atom(word, text, at)
    if kind == "char":
        name = word[1:]
        return chr(int(name[1:], 16)) if len(name) == 5 and name[0] == "u" else _CHARS.get(name, name)
    if kind == "regex":
        return word[2:-1]
    return {"##Inf": math.inf, "##-Inf": -math.inf}.get(word, math.nan)


def _atom(word: str, text: str, at: int) -> Any:
    if word[0] == ":":
        return Keyword(word[1:])
    if word in _ATOMS:
        return _ATOMS[word]
    if word[0].isdigit() or (word[0] in "+-" and word[1:2].isdigit()):
        if not _NUMBER.fullmatch(word):
            raise MalformedHistory(f"{word!r} is not a number", line_of(text, at))
        return word if "/" in word else float(word.rstrip("M"))
    return word


def _unescaped(body: str) -> str:
    if "\\" not in body:
        return body

    def one(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)

    return _ESCAPE.sub(one, body)
