"""Chaos Toolkit's tolerances as fields of our probes."""

from __future__ import annotations

import re
import shlex
from typing import Any

SIMPLE_PATH = re.compile(r"\$?\.?([A-Za-z_][\w-]*(\[\d+\])?(\.[A-Za-z_][\w-]*(\[\d+\])?)*)")


def tolerated(provider: str, probe: dict[str, Any], tolerance: Any) -> dict[str, Any] | str:
    """The probe with what is tolerated, or why it cannot be said here."""
    if tolerance is None:
        return "there is none; the probe's own health is asked for"
    given = tolerance if isinstance(tolerance, dict) else {"type": _type_of(tolerance), "value": tolerance}
    kind = given.get("type")
    made = _MADE.get((provider, str(kind)))
    said = made(probe, given) if made else None
    return said if said is not None else f"{kind} of a {provider} probe"


def _type_of(tolerance: Any) -> str:
    if isinstance(tolerance, bool):
        return "truth"
    if isinstance(tolerance, (int, float)):
        return "number"
    return "list" if isinstance(tolerance, list) else "text"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _status(probe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    value = given.get("value")
    return {**probe, "status": value} if isinstance(value, int) and 100 <= value <= 599 else None


def _exit_code(probe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    value = given.get("value")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
        return None
    return probe if value == 0 else {**probe, "run": f"{probe['run']}; [ $? -eq {value} ]"}


def _range(probe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    ends = given.get("range")
    if not isinstance(ends, list) or len(ends) != 2 or not all(map(_is_number, ends)):
        return None
    return {**probe, "at_least": min(ends), "at_most": max(ends)}


def _pattern(probe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    pattern = given.get("pattern")
    if given.get("target", "stdout") != "stdout" or not isinstance(pattern, str) or not pattern:
        return None
    return {**probe, "run": f"{probe['run']} | grep -qE -e {shlex.quote(pattern)}"}


def _json_value(probe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    if "count" in given or given.get("target", "body") != "body":
        return None
    path = SIMPLE_PATH.fullmatch(str(given.get("path", "")))
    expected = given.get("expect", [None])
    value = expected[0] if isinstance(expected, list) and len(expected) == 1 else expected
    if path is None or isinstance(value, (list, dict)):
        return None
    return {**probe, "json_path": path[1], **({} if value is None else {"equals": value})}


def _truth(probe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    return probe if given.get("value") is True else None


def _number(probe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    value = given.get("value")
    return {**probe, "at_least": value, "at_most": value} if _is_number(value) else None


_MADE = {
    ("http", "number"): _status,
    ("http", "jsonpath"): _json_value,
    ("process", "number"): _exit_code,
    ("process", "range"): _range,
    ("process", "regex"): _pattern,
    ("process", "truth"): _truth,
    ("python", "truth"): _truth,
    ("python", "number"): _number,
    ("python", "range"): _range,
}
