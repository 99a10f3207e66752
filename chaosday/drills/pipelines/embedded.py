"""SQLite and DuckDB files as stores of a pipeline: filled from somebody's own, which is read and nothing else."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chaosday.drills.pipelines.drill import journals
from chaosday.errors import CapabilityMissing, UsageError

SQLITE = "sqlite"
_HEAD = b"SQLite format 3"


def build(kind: str, file: Path, source: str) -> None:
    """Fill a store's file from another, from SQL, or leave it to the pipeline to make it.

    ``UsageError`` where the source is none of these, ``CapabilityMissing`` where somebody is writing to it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    for name in ("", *journals(file.name)):
        file.with_name(name or file.name).unlink(missing_ok=True)
    if not source:
        return
    original = Path(source)
    if original.suffix == ".sql":
        run_script(kind, file, original)
    elif not original.is_file():
        raise UsageError(f"there is no file {source} to fill {file.name} from")
    elif (_begins(original) == _HEAD) is not (kind == SQLITE):
        raise UsageError(f"{source} is no file of {kind}'s; what would do: one, or SQL in *.sql")
    elif kind == SQLITE:
        _copy_sqlite(original, file)
    else:
        _copy_duckdb(original, file)


def run_script(kind: str, file: Path, script: Path) -> None:
    """Run a file of SQL in a store, as one transaction; ``UsageError`` with the first complaint."""
    text = script.read_text()
    try:
        with opened(kind, file) as database:
            if kind == SQLITE:
                database.executescript(f"begin;\n{text}\n;commit;")
            else:
                database.execute("begin")
                database.execute(text)
                database.execute("commit")
    except refusals() as error:
        raise UsageError(f"{script} cannot be loaded: {str(error).splitlines()[0]}") from None


@contextlib.contextmanager
def opened(kind: str, file: Path) -> Iterator[Any]:
    """A connection to a store's file, in autocommit, closed afterwards."""
    if kind == SQLITE:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
            yield database
        return
    import duckdb

    with duckdb.connect(str(file)) as database:
        yield database


def refusals() -> tuple[type[Exception], ...]:
    """What a database says where it does not do as it is told."""
    import duckdb

    return sqlite3.Error, duckdb.Error


def _begins(file: Path) -> bytes:
    with file.open("rb") as opened_file:
        return opened_file.read(len(_HEAD))


def _copy_sqlite(original: Path, file: Path) -> None:
    """What has been committed, by SQLite's own backup: also while others write."""
    address = f"file:{quote(str(original.absolute()))}?mode=ro"
    try:
        with (
            contextlib.closing(sqlite3.connect(address, uri=True)) as source,
            contextlib.closing(sqlite3.connect(file)) as copy,
        ):
            source.backup(copy)
            # The mode is a part of the database: with a log written ahead a crash leaves other files.
            (mode,) = source.execute("pragma journal_mode").fetchone()
            copy.execute("pragma journal_mode = wal" if mode == "wal" else "pragma journal_mode = delete")
    except sqlite3.Error as error:
        raise UsageError(f"{original} cannot be copied: {error}") from None


def _copy_duckdb(original: Path, file: Path) -> None:
    """File and log together, while a lock of ours keeps writers off."""
    import duckdb

    try:
        with duckdb.connect(str(original), read_only=True):
            shutil.copyfile(original, file)
            log = original.with_name(f"{original.name}.wal")
            if log.is_file():
                shutil.copyfile(log, file.with_name(f"{file.name}.wal"))
    except duckdb.IOException as error:
        words = str(error).splitlines()[0]
        raise CapabilityMissing(
            f"{original} cannot be copied: {words}; what would do: a copy of it, made while nobody writes to it"
        ) from None
    except duckdb.Error as error:
        raise UsageError(f"{original} cannot be copied: {str(error).splitlines()[0]}") from None
