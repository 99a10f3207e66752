"""Finding things in what a service answered: elements of a page by a selector, values of JSON by a path."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from typing import Any

from chaosday.errors import TargetUnreachable, UsageError

_STEP = re.compile(r"^(?P<tag>[a-zA-Z][\w-]*|\*)?(?P<marks>([#.][\w-]+|\[[\w-]+(=[^\]]*)?\])*)$")
_MARK = re.compile(r"([#.])([\w-]+)|\[([\w-]+)(?:=([^\]]*))?\]")
DEEPEST = 512
BLOCK = 1 << 16
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class _Page(HTMLParser):
    """Counts the elements that a descendant selector fits."""

    def __init__(self, steps: list[tuple[str, list[tuple[str, str | None]]]], limit_s: float) -> None:
        super().__init__()
        self._limit_s, self._until = limit_s, time.monotonic() + limit_s
        self._steps = steps
        self._open: list[tuple[str, dict[str, str]]] = []
        self.found = 0

    def read(self, page: str) -> None:
        """All of it; ``TargetUnreachable`` where that takes too long."""
        for start in range(0, len(page), BLOCK):
            self._look_at_the_clock()
            self.feed(page[start : start + BLOCK])

    def _look_at_the_clock(self) -> None:
        if time.monotonic() > self._until:
            raise TargetUnreachable(f"the page was not read within {self._limit_s:g} s: it is too long, or no page")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at_the_clock()
        element = (tag, {name: value or "" for name, value in attrs})
        self._open.append(element)
        if self._fits():
            self.found += 1
        if tag in _VOID or len(self._open) > DEEPEST:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def _fits(self) -> bool:
        *outer, last = self._steps
        if not _fits(self._open[-1], last):
            return False
        ancestors = iter(self._open[:-1])
        return all(any(_fits(element, step) for element in ancestors) for step in outer)


def count(page: str, selector: str, limit_s: float = 5) -> int:
    """How many elements of an HTML page ``selector`` fits.

    Tags, ``#id``, ``.class``, ``[name]``, ``[name=value]`` and descendants (a space); nothing else of CSS. Elements
    deeper than ``DEEPEST`` count as lying there, as in a browser. ``TargetUnreachable`` after ``limit_s``: the page was
    made to be hard to read.
    """
    steps = []
    for word in selector.split():
        step = _STEP.match(word)
        if step is None:
            raise UsageError(f"selector {selector!r}: {word!r} is no tag, #id, .class or [name=value]")
        marks = [
            ({"#": "id", ".": "class"}[sign], name) if sign else (attribute, value.strip("'\"") if value else None)
            for sign, name, attribute, value in _MARK.findall(step["marks"])
        ]
        steps.append(((step["tag"] or "*").lower(), marks))
    if not steps:
        raise UsageError("an empty selector fits nothing")
    parser = _Page(steps, limit_s)
    parser.read(page)
    return parser.found


def at(text: str, path: str) -> Any:
    """The value at a path like ``items[0].price`` in a JSON text; ``KeyError`` where there is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise KeyError("not JSON, or nested too deeply") from None
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            value = value[int(index)] if index else value[name]
        except (IndexError, KeyError, TypeError):
            raise KeyError(f"nothing at {path}") from None
    return value


def _fits(element: tuple[str, dict[str, str]], step: tuple[str, list[tuple[str, str | None]]]) -> bool:
    tag, attributes = element
    wanted, marks = step
    if wanted not in ("*", tag):
        return False
    for name, value in marks:
        if name not in attributes:
            return False
        there = attributes[name].split() if name == "class" else [attributes[name]]
        if value is not None and value not in there:
            return False
    return True
