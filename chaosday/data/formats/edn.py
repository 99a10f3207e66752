"""EDN, the notation that Jepsen writes its histories in: a reader of all of it, and a writer.

Maps become dicts, vectors and lists and sets become lists, keywords become ``Keyword`` (a ``str``),
tagged records such as ``#jepsen.history.Op{...}`` become what they tag, a tagged tuple of ``jepsen.independent`` a
``Pair``. Sets are sorted: in what order they were written says nothing. What no number of 64 bits can hold (big whole
numbers, long decimals, the infinities) is kept as its text. See
https://github.com/edn-format/edn.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from chaosday.data.formats.events import Pair
from chaosday.errors import MalformedHistory
from chaosday.model.history import DEPTH_MOST, in_order, to_json, token_of

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


def forms(text: str, *, closed: bool = False) -> Iterator[tuple[Any, int]]:
    """Every top-level form with the position of its first character; ``MalformedHistory`` with the line.

    ``closed``: up to the bracket that closes what was opened before.
    """
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
            if len(stack) > DEPTH_MOST:
                raise MalformedHistory(f"nested more than {DEPTH_MOST} deep", line_of(text, start))
            stack.append(_Frame(word, start))
            continue
        if kind in ("discard", "tag", "meta"):
            frame.prefix.append(word if kind == "tag" else kind)
            continue
        if kind == "close" and closed and len(stack) == 1:
            return
        if kind == "close":
            value, start = _closed(stack, word, text, start)
            frame = stack[-1]
        else:
            value = _scalar(kind, word, text, start)
        _put(frame, value)
        if frame is top and top.items:
            yield top.items.pop(), start
    if top.prefix:
        raise MalformedHistory("a mark (#_, #tag or ^) with nothing after it", line_of(text, end))
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
    found = list(forms(text))
    if len(found) != 1 or type(found[0][0]) is not list:
        return found
    opening = found[0][1]
    if text[opening] not in "([":
        return found
    inner = text[:opening] + " " + text[opening + 1 :]
    return list(forms(inner, closed=True))


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
    if frame.kind == "#{":
        return _set(frame.items, line_of(text, frame.line_at)), frame.line_at
    if frame.kind != "{":
        return frame.items, frame.line_at
    if len(frame.items) % 2:
        raise MalformedHistory("a map with a key and no value", line_of(text, frame.line_at))
    keys = [to_json(key) if isinstance(key, (list, dict)) else key for key in frame.items[::2]]
    if len(set(map(token_of, keys))) < len(keys):
        raise MalformedHistory("a map has one key twice", line_of(text, frame.line_at))
    return dict(zip(keys, frame.items[1::2], strict=True)), frame.line_at


def _set(items: list[Any], line: int) -> list[Any]:
    by_token = {token_of(item): item for item in items}
    if len(by_token) < len(items):
        raise MalformedHistory("a set holds one element twice", line)
    return [by_token[token] for token in in_order(by_token)]


def _put(frame: _Frame, value: Any) -> None:
    if not frame.prefix:
        frame.items.append(value)
        return
    mark = frame.prefix.pop()
    if mark.startswith("#"):
        _put(frame, Pair(value) if type(value) is list and "independent" in mark else value)
    # A discarded form, or the metadata of the next one: gone.


def _scalar(kind: str, word: str, text: str, at: int) -> Any:
    if kind == "integer":
        return _whole(word.rstrip("N"))
    if kind == "string":
        return _unescaped(word[1:-1])
    if kind == "atom":
        return _atom(word, text, at)
    if kind == "char":
        name = word[1:]
        return chr(int(name[1:], 16)) if len(name) == 5 and name[0] == "u" else _CHARS.get(name, name)
    if kind == "regex":
        return word[2:-1]
    return word


def _atom(word: str, text: str, at: int) -> Any:
    if word[0] == ":":
        return Keyword(word[1:])
    if word in _ATOMS:
        return _ATOMS[word]
    if word[0].isdigit() or (word[0] in "+-" and word[1:2].isdigit()):
        if not _NUMBER.fullmatch(word):
            raise MalformedHistory(f"{word!r} is not a number", line_of(text, at))
        return word if "/" in word else _fraction(word)
    return word


def _whole(word: str) -> int | str:
    # Nothing downstream holds more than 64 bits; as text it is still the same value everywhere.
    digits = word.lstrip("+-0") or "0"
    sign = "-" if word[0] == "-" and digits != "0" else ""
    number = f"{sign}{digits}"
    # Python refuses to read more than 4,300 digits: their count is looked at first.
    return int(number) if len(digits) < 20 and -(2**63) < int(number) < 2**63 else f"{number}N"


def _fraction(word: str) -> float | str:
    number = float(word.rstrip("M"))
    if not math.isfinite(number):
        return word
    return word if word[-1] == "M" and Decimal(word[:-1]) != Decimal(repr(number)) else number


def _unescaped(body: str) -> str:
    if "\\" not in body:
        return body

    def one(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)

    return _ESCAPE.sub(one, body)
