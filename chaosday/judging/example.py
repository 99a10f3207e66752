"""One case of an anomaly in words: the operations that make it, who asked them and when."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chaosday.model.history import NEVER_NS, STATUSES, History

SHOWN = 6
_RUN = re.compile(r"(.)\1{9,}", re.DOTALL)
_RESULT_CHARACTERS = 120


def example(findings: Sequence[Mapping[str, Any]], names: Sequence[str], history: History) -> list[str]:
    """Lines about the first case of the first of these anomalies that was found; empty where none was."""
    found = [(name, each) for finding in findings for each in finding["anomalies"] for name in called(each)]
    found = [(name, each) for name, each in found if name in names]
    if not found:
        return []
    anomaly = min(found, key=lambda each: names.index(each[0]))[1]
    case: Mapping[str, Any] = next(iter(anomaly["detail"]), {})
    if story := case.get("story"):
        return [anomaly["name"], *(story if isinstance(story, list) else str(story).splitlines())]
    indices = [*case.get("operations", []), *case.get("reads", [])]
    if indices:
        return [anomaly["name"], *operations(history, indices[:SHOWN])]
    keys = anomaly["keys"][:SHOWN]
    rest = anomaly["count"] - len(keys)
    more = f" and {rest:,} more" if rest > 0 else ""
    lines = [f"{anomaly['name']}: {', '.join(map(str, keys))}{more}"]
    for key in keys[:1]:
        lines += operations(history, _of_key(history, key)[:SHOWN])
    return lines


def called(anomaly: Mapping[str, Any]) -> list[str]:
    """What an anomaly is called: by its name, or, where that is a sentence, by the kinds of damage in its cases."""
    kinds = {str(kind) for case in anomaly["detail"] for _, kind in case.get("damage", [])}
    return sorted(kinds) or [anomaly["name"]]


def counts(findings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How often each anomaly was found, by what it is called."""
    found: dict[str, int] = {}
    for finding in findings:
        for anomaly in finding["anomalies"]:
            for name in called(anomaly):
                found[name] = max(found.get(name, 0), anomaly["count"])
    return found


def operations(history: History, indices: Sequence[int]) -> list[str]:
    """One line an operation, in order of invocation; times are seconds after the first one of the run."""
    rows = np.flatnonzero(np.isin(history.integers("index"), list(indices)))
    start, end, status = history.integers("start_ns"), history.ends_ns(), history.statuses()
    process, values, results, keys = (
        history.integers("process"),
        history.values("value"),
        history.values("result"),
        history.values("key"),
    )
    names, origin = history.table["f"].to_pylist(), int(start.min()) if len(start) else 0
    lines = []
    for row in rows.tolist():
        ended = "never" if end[row] == NEVER_NS else f"{(int(end[row]) - origin) / 1e9:.4f} s"
        asked = " ".join(str(each) for each in (keys[row], values[row]) if each is not None)
        said = "" if results[row] is None else f" -> {_brief(str(results[row]))}"
        when = f"{(int(start[row]) - origin) / 1e9:.4f} s to {ended}"
        lines.append(f"client {process[row]}, {when}: {names[row]} {asked}{said} ({STATUSES[status[row]]})")
    return lines


def _brief(text: str) -> str:
    """Of a wide value the part that tells: the one digit that was flipped in 1,800 noughts would be cut off."""
    return _RUN.sub(lambda run: f"{run[1]}(x{len(run[0]):,})", text)[:_RESULT_CHARACTERS]


def _of_key(history: History, key: Any) -> list[int]:
    """Operations on a row, or that put in an element."""
    index = history.integers("index")
    keys, values = history.values("key"), history.values("value")
    return [
        int(index[row]) for row in range(len(index)) if keys[row] == key or (keys[row] is None and values[row] == key)
    ]
