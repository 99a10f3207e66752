"""Files that a caller asked a program to write, beside the evidence of a run."""

from __future__ import annotations

from pathlib import Path

from chaosday.errors import EvidenceUnwritable, UsageError


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


def unwritable(path: Path, error: OSError) -> EvidenceUnwritable:
    """The error to raise where writing to ``path`` failed."""
    return EvidenceUnwritable(f"{path} cannot be written: {error.strerror or type(error).__name__}")
