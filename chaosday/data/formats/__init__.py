"""Other projects' histories in, ours out: one module a family of notations, one table of names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa

from chaosday.data.formats import jepsen, rows, sessions
from chaosday.data.formats.events import Imported
from chaosday.errors import MalformedHistory, UnknownName, UsageError
from chaosday.model.history import History

EVENTS: dict[str, Callable[..., Imported]] = {
    "edn": jepsen.read_edn,
    "jepsen-json": jepsen.read_json,
    "jepsen-log": jepsen.read_log,
    "case": jepsen.read_case,
}
"""Formats of invocations and completions; ``independent=True`` takes every value for a key and a value."""
READERS: dict[str, Callable[[str], Imported]] = {
    **EVENTS,
    "jsonl": rows.read_jsonl,
    "awdit": sessions.read_awdit,
    "plume": sessions.read_plume,
    "sessions-json": sessions.read_sessions_json,
}
WRITERS: dict[str, Callable[[History], str]] = {
    "edn": jepsen.write_edn,
    "jepsen-json": jepsen.write_json,
    "jsonl": rows.write_jsonl,
    "awdit": sessions.write_awdit,
    "plume": sessions.write_plume,
    "sessions-json": sessions.write_sessions_json,
}
_JSON_ARRAY = re.compile(r'\[\s*(?:\{\s*"|\]\s*$)')
FORMATS = (*READERS, "parquet")


def read(path: Path, format: str | None = None, *, independent: bool = False) -> Imported:
    """Read a history file; without ``format`` its first characters say what it is.

    ``independent`` says of a file of events that its values are keys and values, ``[k v]``.

    Raises ``MalformedHistory``, with the line, for a file that is none of ``FORMATS``, is cut off,
    or holds operations that cannot be; ``UnknownName`` for a format that there is not.
    """
    if format is not None and format not in FORMATS:
        raise UnknownName(f"no format {format!r}; there are {', '.join(FORMATS)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MalformedHistory(f"{path} cannot be read: {error.strerror}") from None
    try:
        if format == "parquet" or (format is None and data[:4] == b"PAR1"):
            return Imported(History.read(path), "parquet")
        text = data.decode().removeprefix("\ufeff")
        name = format or detect(text)
        if independent and name not in EVENTS:
            raise UsageError(f"--independent is for {', '.join(EVENTS)}; {name} names its keys itself")
        return EVENTS[name](text, independent=independent) if name in EVENTS else READERS[name](text)
    except UnicodeDecodeError:
        raise MalformedHistory(f"{path} is neither text nor Parquet") from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise MalformedHistory(f"{path} mixes kinds of values: {error}") from None
    except RecursionError:
        raise MalformedHistory(f"{path} is nested too deep") from None


def detect(text: str) -> str:
    """Which format a text is in, by its first characters; ``MalformedHistory`` if it is none."""
    stripped = text.lstrip()
    head = stripped[:4096]
    if not stripped:
        return "edn"
    first = next((line.strip() for line in head.splitlines() if line.strip()), "")
    if head[0] == "{" and head[1:].lstrip()[:1] == '"':
        return _json_object(stripped)
    for name, fits in (
        ("plume", first[:2].lower() in ("r(", "w(")),
        ("awdit", set(first) in ({"="}, {"-"}) or first[:2] in ("r ", "w ")),
        ("jepsen-json", bool(_JSON_ARRAY.match(head))),
        ("edn", head[0] in "[{;(#"),
        ("jepsen-log", any(f":{kind}" in head for kind in ("invoke", "info", "ok"))),
    ):
        if fits:
            return name
    raise MalformedHistory("this is no history in a format known here; name one with --format", 1)


def _json_object(text: str) -> str:
    try:
        keys = set(orjson.loads(text.split("\n", 1)[0]))
    except orjson.JSONDecodeError:  # one object over many lines, or a broken first line
        keys = {name for name in ("history", "sessions", "txns", "type", "status") if f'"{name}"' in text}
    if "history" in keys:
        return "case"
    if "sessions" in keys:
        return "sessions-json"
    return "jepsen-json" if "type" in keys else "jsonl"
