"""A SQLite file opened for reading only, in one read transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from chaosday import progress
from chaosday.data.connections.waiting import QUIET_S, Patience
from chaosday.errors import ChaosdayError, MalformedInput, TargetUnreachable, UsageError

T = TypeVar("T")


class Session:
    """One connection within ``begin``: what it first reads takes the lock, and is what it sees to the end."""

    def __init__(self, path: Path, label: str, patience: Patience | None = None) -> None:
        self.label = label
        self.patience = patience or Patience()
        try:
            self.connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False,
                timeout=min(QUIET_S, self.patience.lock_timeout_s),
            )  # fmt: skip
        except sqlite3.Error as error:
            raise explained(error, label) from None
        self.connection.execute("pragma query_only = on")
        self.connection.execute("begin")

    def once_unlocked(self, read: Callable[[], T]) -> T:
        """What the first read gives, once nobody holds the file for writing any more."""
        deadline = time.monotonic() + self.patience.lock_timeout_s
        said = False
        while True:
            try:
                return read()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > deadline:
                    raise TargetUnreachable(
                        f"the {self.label} side is locked by somebody else: given up after "
                        f"{self.patience.lock_timeout_s:g} s; end its writer, or wait longer with --lock-timeout"
                    ) from None
                if not said:
                    words = f"waiting: the {self.label} side waits for a lock that another process holds on its file"
                    progress.say(progress.Step("", "verify", words))
                    said = True


def explained(error: sqlite3.Error, label: str) -> ChaosdayError:
    """An error of SQLite as one line of ours."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    if any(word in said for word in ("malformed", "not a database", "decode")):
        return MalformedInput(f"the {label} side cannot be read: {said}; run PRAGMA integrity_check")
    if any(word in said for word in ("no such", "syntax", "near", "incomplete", "one statement", "too many")):
        return UsageError(f"the {label} side cannot be read as asked: {said}")
    if "readonly" in said:
        return UsageError(f"the {label} side's query writes, and a check only reads: {said}")
    return TargetUnreachable(f"the {label} side gave no answer: {said}")
