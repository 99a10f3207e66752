"""A scratch folder and the DuckDB in it that does the comparing, with a limit on its memory."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Self

from chaosday.data.reconcile.sql import literal
from chaosday.errors import CapabilityMissing, EvidenceUnwritable

_FULL = re.compile(r"no space left|disk quota|max_temp_directory_size|file too large", re.IGNORECASE)

_PLACE: ContextVar[Path | None] = ContextVar("working_below", default=None)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Inside, a folder for temporary files that is full is said in one line, with the exit code of one."""
    import duckdb

    try:
        yield
    except (OSError, duckdb.Error) as error:
        full = error.errno in _NO_ROOM if isinstance(error, OSError) else _FULL.search(str(error))
        if not full:
            raise
        raise EvidenceUnwritable(
            f"the folder for temporary files, {tempfile.gettempdir()}, is full: free some, or set TMPDIR"
        ) from None


@contextlib.contextmanager
def working_below(folder: Path) -> Iterator[None]:
    """Inside, comparisons keep what they stage below ``folder``, which its owner takes away if this process is killed;
    else it is among the temporary files, and stays."""
    token = _PLACE.set(folder)
    try:
        yield
    finally:
        _PLACE.reset(token)


def temporary_folder() -> Path | None:
    """Where to make folders that are gone when a comparison is; None is among the temporary files."""
    return _PLACE.get()


class Workspace:
    """Spills to disk beyond ``memory_mb``; everything is gone when it is left.

    Rows come in the order of their files only where it is ``ordered``, which costs memory.
    """

    def __init__(self, memory_mb: int = 1024, threads: int = 2, *, ordered: bool = False) -> None:
        import duckdb

        self.memory_mb = memory_mb
        self.path = Path(tempfile.mkdtemp(prefix="chaosday-diff-", dir=temporary_folder()))
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": str(self.path / "spill"),
            "preserve_insertion_order": ordered,
        }
        try:
            self.database = duckdb.connect(str(self.path / "work.duckdb"), config=settings)
        except duckdb.Error:
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        self.database.execute(f"set timezone = {literal('UTC')}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import duckdb

        self.database.close()
        shutil.rmtree(self.path, ignore_errors=True)
        if isinstance(error, duckdb.OutOfMemoryException):
            raise CapabilityMissing(
                f"the comparison does not fit into its memory of {self.memory_mb} MB: compare fewer columns at a time"
            ) from None
