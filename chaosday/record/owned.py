"""Files that are believed: our own, writable by nobody else, with no link on the way to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from chaosday.errors import EvidenceMissing, ForeignState, Refused

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_owned(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file, where it and the folder that holds it are ours alone.

    What is above that folder was named by whoever asked; from there on no link is followed and each step is taken
    from the one before, so that nothing can be exchanged between looking and opening. ``ForeignState`` for what
    belongs to somebody else or is a link, ``Refused`` where others may write, ``EvidenceMissing`` where there is none.
    """
    place = path.parent.absolute()
    folder = _open(place.parent, place.name, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _check(place, os.fstat(folder))
        # Without O_NONBLOCK a fifo of that name would hold us for ever.
        handle = _open(place, path.name, flags | os.O_NONBLOCK, folder)
    finally:
        os.close(folder)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ForeignState(f"{path} is not a regular file; it is left alone")
        _check(path, found)
    except Refused:
        os.close(handle)
        raise
    return handle


def read_owned(path: Path) -> bytes:
    """The content of such a file."""
    with os.fdopen(open_owned(path), "rb") as file:
        return file.read()


def _open(above: Path, name: str, flags: int, directory: int | None = None) -> int:
    named = above / name
    try:
        return os.open(named if directory is None else name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        raise EvidenceMissing(f"there is no {named}") from None
    except OSError as error:
        raise ForeignState(f"{named} is left alone: it is a link, or not ours ({error.strerror})") from None


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise ForeignState(f"{path} belongs to user {found.st_uid} and we are {os.geteuid()}; it is left alone")
    if found.st_mode & OTHERS_MAY_WRITE:
        raise Refused(f"{path} may be written by others: nobody knows who wrote it; see: chmod go-w {path}")
