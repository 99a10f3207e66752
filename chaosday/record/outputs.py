"""Files that a caller asked a program to write, beside the evidence of a run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EROFS
from pathlib import Path
from typing import IO

from chaosday.errors import EvidenceUnwritable, UsageError

# A database is in more files than one.
_BESIDE = ("", "-wal", "-shm", "-journal", ".wal")


def write_output(path: Path, content: str | bytes) -> None:
    """Write a file that the caller named.

    ``UsageError`` where the name can be none of a file, ``EvidenceUnwritable`` where it could be and is refused:
    a full disk, a read-only folder, a missing right.
    """
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    except OSError as error:
        raise unwritable(path, error) from None


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of ``path`` as the block ends: whoever reads finds the old one or all of
    the new one, also after a power cut. ``OSError`` where it cannot be; nothing half-written stays."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> EvidenceUnwritable:
    """The error to raise where writing to ``path`` failed."""
    return EvidenceUnwritable(f"{path} cannot be written: {error.strerror or type(error).__name__}")


def claim(output: Path | None, inputs: Iterable[str | Path]) -> None:
    """Make sure, before anything is read, that a command can write ``output`` without harm to its ``inputs``.

    ``UsageError`` where both are one file, by whatever path or link, or where the output would lie inside an
    input folder; ``EvidenceUnwritable`` where it could not be written in the end.
    """
    if output is None:
        return
    for given in inputs:
        for ending in _BESIDE:
            source = Path(f"{given}{ending}")
            if _same(output, source):
                raise UsageError(f"{output} is what is read: name another file to write to")
        if Path(given).is_dir() and output.resolve().is_relative_to(Path(given).resolve()):
            raise UsageError(f"{output} lies inside what is read: name a place outside of {given}")
    for folder in output.resolve().parents:
        if output.exists() and (folder / "journal.jsonl").is_file() and (folder / "plan.json").is_file():
            raise UsageError(f"{output} is part of a run's evidence in {folder}: name another file")
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name a file in it")
    if not output.parent.is_dir():
        raise UsageError(f"there is no folder {output.parent} to write {output.name} to")
    place = output if output.exists() else output.parent
    if not os.access(place, os.W_OK):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        raise EvidenceUnwritable(f"{output} cannot be written: {os.strerror(EROFS if read_only else EACCES)}")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)
