"""What a run writes is for its owner alone; what it starts on a target keeps the umask that we were started with.

A process has one umask for all of its threads: whoever sets it for a moment sets it for the others, and puts back what
another thread had set meanwhile. So it is only ever made strict, once for all runs that live, and what others share
with us gets its mode by name.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

OURS_ALONE = 0o077


TOLD = "CHAOSDAY_UMASK"
"""The variable that names, in octal, the umask of whoever started the program that started us, where its own is not
that one."""


def given(environment: Mapping[str, str]) -> int:
    """The umask that we were started with; a program of ours may have been made strict, and tells whose it was."""
    told = environment.get(TOLD, "")
    return int(told, 8) if re.fullmatch("[0-7]{1,4}", told) else _now()


def _now() -> int:
    # There is no call that only asks.
    now = os.umask(OURS_ALONE)
    os.umask(now)
    return now


GIVEN = given(os.environ)
_changing = threading.Lock()
_strict: list[int] = []
"""What it was before each block that lives; the first is put back when the last ends."""


@contextmanager
def ours_alone() -> Iterator[None]:
    """While the block lasts, new files and folders of this process are closed to group and others."""
    with _changing:
        _strict.append(os.umask(OURS_ALONE))
    try:
        yield
    finally:
        with _changing:
            before = _strict[0]
            _strict.pop()
            if not _strict:
                os.umask(before)


def folder_as_given(folder: Path) -> None:
    """Make a folder that other accounts share with us, and what is above it, as far as whoever started us lets them."""
    for each in reversed([folder, *folder.parents]):
        if each.is_dir():
            continue
        try:
            each.mkdir()
        except FileExistsError:
            continue
        each.chmod(0o777 & ~GIVEN)


def appended_as_given(path: Path) -> IO[bytes]:
    """Open a file that other accounts share with us to read and append; it is made where it is not there."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
    except FileExistsError:
        descriptor = os.open(path, flags, 0o600)
    else:
        os.fchmod(descriptor, 0o666 & ~GIVEN)
    return os.fdopen(descriptor, "a+b")
