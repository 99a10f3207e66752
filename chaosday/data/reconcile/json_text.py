"""JSON as canonical text, token by token: any depth, every repeated key, every digit."""

from __future__ import annotations

import json
import re

from chaosday.data.reconcile.canonical import number

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:("(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")'
    r"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9.eE+-])|(true|false|null)\b|([\[\]{},:]))"
)
_SPACE = re.compile(r"[ \t\r\n]*\Z")


def canonical_json(text: str) -> str | None:
    """JSON without white space, keys sorted, numbers in one spelling; None where it is not JSON.

    A key that is there twice stays there twice, in its order: to keep one of them would be a guess. A
    loop and not a recursion, because documents are nested deeper than stacks.
    """
    stack: list[_Container] = [_Container("")]
    at = 0
    while not _SPACE.match(text, at):
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        at = found.end()
        string, digits, word, mark = found.groups()
        if mark in {"[", "{"}:
            if not stack[-1].takes_value():
                return None
            stack.append(_Container(mark))
        elif mark in {"]", "}"}:
            closed = stack.pop() if len(stack) > 1 else None
            if closed is None or not closed.ends(mark):
                return None
            stack[-1].value(closed.written())
        elif mark:
            if not stack[-1].separated(mark):
                return None
        elif string is not None and stack[-1].wants_key():
            stack[-1].key(_string(string))
        elif not stack[-1].takes_value():
            return None
        else:
            stack[-1].value(_string(string) if string is not None else word or _number(digits))
    whole = stack.pop()
    return whole.values[0] if not stack and len(whole.values) == 1 else None


class _Container:
    """An array, an object, or the document around everything, as far as it has been read."""

    def __init__(self, opened: str) -> None:
        self.opened = opened
        self.keys: list[str] = []
        self.values: list[str] = []
        self.next = "key" if opened == "{" else "value"

    def wants_key(self) -> bool:
        return self.next == "key"

    def takes_value(self) -> bool:
        return self.next == "value"

    def key(self, text: str) -> None:
        self.keys.append(text)
        self.next = "colon"

    def value(self, text: str) -> None:
        self.values.append(text)
        self.next = "comma" if self.opened else "end"

    def separated(self, mark: str) -> bool:
        if mark == ":" and self.next == "colon":
            self.next = "value"
            return True
        if mark == "," and self.next == "comma":
            self.next = "key" if self.opened == "{" else "value"
            return True
        return False

    def ends(self, mark: str) -> bool:
        pair = {"[": "]", "{": "}"}.get(self.opened)
        return mark == pair and (self.next == "comma" or not (self.values or self.keys))

    def written(self) -> str:
        if self.opened == "[":
            return "[" + ",".join(self.values) + "]"
        pairs = sorted(zip(self.keys, self.values, strict=True), key=lambda pair: pair[0])
        return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


def _string(token: str) -> str:
    return json_string(json.loads(token)) if "\\" in token else token


def json_string(text: str) -> str:
    """A text as a JSON string; half a surrogate pair, which no UTF-8 can hold, stays escaped."""
    written = json.dumps(text, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        return json.dumps(text)
    return written


def _number(digits: str) -> str:
    written = number(digits) or digits
    return "-0" if written == "0" and digits.startswith("-") else written
