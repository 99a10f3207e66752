"""Being watched over: a watchdog beside us, and a mark on every process we start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaosday.processes.local_shell import RUN_MARK
from chaosday.record.key import run_mark
from chaosday.undo.watchdog import Watchdog


@contextmanager
def watched_over(run: str, journal_path: Path) -> Iterator[Watchdog]:
    """Within the block a watchdog ends everything of this run if we die, and our children carry its mark.

    Blocks may be nested: a demo watches over its servers, and each of its runs over its own faults.
    """
    before = os.environ.get(RUN_MARK)
    os.environ[RUN_MARK] = run_mark(run)
    watchdog = Watchdog.start(run, journal_path)
    try:
        yield watchdog
    finally:
        watchdog.close()
        if before is None:
            os.environ.pop(RUN_MARK, None)
        else:
            os.environ[RUN_MARK] = before
