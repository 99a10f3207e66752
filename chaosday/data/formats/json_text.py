"""JSON of histories, with whole numbers of any size: orjson takes what is beyond 64 bits for the nearest float."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

import orjson

_DIGITS = str.maketrans("123456789", "0" * 9)
_WIDE = "0" * 20


def loader(text: str) -> Callable[[str], Any]:
    """What reads ``text``, or its lines, without loss: two numbers that orjson would round to one float stay two."""
    return _exactly if _WIDE in text.translate(_DIGITS) else orjson.loads


def _exactly(text: str) -> Any:
    checked = orjson.loads(text)  # the errors, and what is no JSON though Python reads it, are orjson's business
    return checked if _WIDE not in text.translate(_DIGITS) else json.loads(text, parse_int=_whole, parse_constant=_no)


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else f"{digits}N"


def _no(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
