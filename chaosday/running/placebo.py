"""The placebo arm: which of a series of runs is done at zero dose."""

from __future__ import annotations

import fcntl
import hashlib
from pathlib import Path

import orjson

from chaosday.errors import MalformedInput

COUNTS = "placebo-turns.json"


def is_placebo_turn(root: Path, series: str, every: int, seed: int = 1) -> bool:
    """Count one run of ``series`` and say whether it is a placebo: one in ``every``, 0 for none, 1 for all.

    The counts are kept in ``root`` (the folder of all runs), safe for several runs at once; which one of
    ``every`` it is follows from the seed and the name, so that not all series pause on the same day.
    """
    if every < 1:
        return False
    root.mkdir(parents=True, exist_ok=True)
    with (root / COUNTS).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        counts = _counts(file.read(), root / COUNTS)
        turn = counts.get(series, 0)
        counts[series] = turn + 1
        file.truncate(0)
        file.write(orjson.dumps(counts, option=orjson.OPT_SORT_KEYS))
    first = int.from_bytes(hashlib.sha256(f"{seed}/{series}".encode()).digest()[:6], "big") % every
    return turn % every == first


def _counts(raw: bytes, path: Path) -> dict[str, int]:
    if not raw:
        return {}
    try:
        said = orjson.loads(raw)
        return {str(name): int(count) for name, count in said.items()}
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        raise MalformedInput(f"{path} does not hold counts of runs; remove it to begin counting anew") from None
