"""Working until enough was done, however long that takes: no test may depend on how fast the machine is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

OK, UNKNOWN = '"status":"ok"', '"status":"unknown"'
LONG_S = 200


def asked(f: str) -> str:
    """What a client writes down before it asks for ``f``."""
    return f'"f":"{f}"'


@contextmanager
def once(history: Path, wanted: Mapping[str, int], act: Callable[[], object]) -> Iterator[None]:
    """``act``, in a thread, when each text of ``wanted`` was recorded so many times by the clients of ``history``.

    It is done in any case after ``LONG_S``, and before the block is left: what was too little then, the test says.
    """
    over = threading.Event()

    def watch() -> None:
        until = time.monotonic() + LONG_S
        while not _recorded(history, wanted) and time.monotonic() < until and not over.wait(0.05):
            pass
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _recorded(history: Path, wanted: Mapping[str, int]) -> bool:
    said = b"".join(path.read_bytes() for path in history.glob("client-*.jsonl"))
    return all(said.count(text.encode()) >= times for text, times in wanted.items())
