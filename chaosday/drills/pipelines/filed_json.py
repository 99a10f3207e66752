"""JSON that a pipeline left, as rows: every digit, every key, however it is packed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chaosday.data.reconcile.canonical import number
from chaosday.data.reconcile.json_text import json_string

Rows = list[tuple[str | None, ...]]


def rows_of_json(text: str, *, lines: bool) -> tuple[tuple[str, ...], Rows, str]:
    """Columns, rows and what they were: ``rows`` of objects, ``values``, or one ``document``.

    A value is its JSON with sorted keys and numbers in one spelling (1.0 is 1), a key that is not there None.
    ``ValueError`` where it is no JSON, holds a key twice, or is nested deeper than it can be read.
    """
    try:
        said = [_loads(line) for line in text.split("\n") if line.strip()] if lines else _loads(text)
        each = said if isinstance(said, list) else [said]
        kind = "rows" if isinstance(said, list) else "document"
        if each and all(isinstance(one, dict) for one in each):
            columns = tuple(sorted({key for one in each for key in one}))
            return columns, [tuple(_written(one[c]) if c in one else None for c in columns) for one in each], kind
        return ("value",), [(_written(one),) for one in each], "values" if isinstance(said, list) else kind
    except RecursionError:
        raise ValueError("JSON that is nested too deeply to be read") from None


class _Digits(str):
    """A number as it is spelled."""


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_float=_Digits, parse_int=_Digits, parse_constant=_Digits)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a key twice, of which readers keep one or the other")
    return made


def _written(value: Any) -> str:
    if isinstance(value, _Digits):
        found = number(value) or str(value)
        return "-0" if found == "0" and value.startswith("-") else found
    if isinstance(value, str):
        return json_string(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_string(key)}:{_written(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)
