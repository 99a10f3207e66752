"""What a tree of processes does to files below some folders: each change, decided about before the kernel makes it.

Seen are creating, emptying, writing, cutting, renaming, linking, removing and flushing, by whichever process of the
tree; closing a file, and reading one, leave nothing that a kill could show. Not seen, but told where they are prepared,
are writes through shared memory (``mmap``) and ``io_uring``. A process in a mount namespace of its own has other names.
"""

from __future__ import annotations

import os
import platform
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from chaosday.processes.call_end import CallEnd
from chaosday.processes.gated_exec import CHANGES

_HERE = -100
_EMPTIES, _CREATES = os.O_TRUNC, os.O_CREAT
_REMOVED = " (deleted)"
_BY_DESCRIPTOR = {
    **dict.fromkeys(("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "ioctl"), ("write", 0)),
    **dict.fromkeys(("copy_file_range", "splice"), ("write", 2)),
    **dict.fromkeys(("ftruncate", "fallocate"), ("resize", 0)),
    **dict.fromkeys(("fsync", "fdatasync"), ("flush", 0)),
    "mmap": ("memory map of", 4),
}
"""By call, what it does, and which argument is the file."""
_BY_NAME: dict[str, tuple[str, tuple[tuple[int | None, int], ...]]] = {
    "creat": ("create", ((None, 0),)),
    "open": ("create", ((None, 0),)),
    "openat": ("create", ((0, 1),)),
    "openat2": ("create", ((0, 1),)),
    "truncate": ("resize", ((None, 0),)),
    "rename": ("rename", ((None, 0), (None, 1))),
    "renameat": ("rename", ((0, 1), (2, 3))),
    "renameat2": ("rename", ((0, 1), (2, 3))),
    "link": ("link", ((None, 0), (None, 1))),
    "linkat": ("link", ((0, 1), (2, 3))),
    "symlink": ("link", ((None, 1),)),
    "symlinkat": ("link", ((1, 2),)),
    "unlink": ("remove", ((None, 0),)),
    "unlinkat": ("remove", ((0, 1),)),
    "rmdir": ("remove", ((None, 0),)),
    "mkdir": ("make folder", ((None, 0),)),
    "mkdirat": ("make folder", ((0, 1),)),
}
"""By call, what it does, and where its names are: the argument of the folder they start from, and of the name."""
_BROKEN_OFF = ("copy_file_range", "splice", "sendfile", "fallocate")
"""Calls that do nothing while their thread is to stop."""
_FOLLOWS = ("create", "resize")

Go = Callable[[], bool]


class Decides(Protocol):
    """Whoever decides about a change: ``go`` lets it be made; ``end`` can be given that, and waits for its end. None is
    a change whose end nobody can see."""

    def changes(self, text: str, thread: int, go: Go, end: CallEnd | None) -> bool:
        """False where all is to stand still from now on."""
        ...


class Files:
    """Watches ``names`` below ``folder``, and asks ``decides`` about each change of them; ``unseen`` counts, in words,
    what was prepared that changes files without asking."""

    def __init__(self, folder: Path, names: Sequence[str], decides: Decides) -> None:
        self.unseen: Counter[str] = Counter()
        self._folder = os.path.realpath(folder)
        self._roots = tuple(os.path.join(self._folder, os.path.normpath(name)) for name in names)  # noqa: PTH118
        self._decides = decides
        self._calls = {number: name for name, number in CHANGES.get(platform.machine(), {}).items()}

    def asked(self, thread: int, call: int, arguments: Sequence[int], go: Go) -> bool:
        """One call: let it be, or have it decided about; False where all is to stand still."""
        name = self._calls.get(call, "")
        if name == "io_uring_setup":
            self.unseen["io_uring, by which files may be changed unseen"] += 1
        text = self._words(name, thread, arguments)
        if name == "mmap":
            # Of SQLite's shared memory nothing is left that a new process would read.
            self.unseen += Counter([text] if text and not text.endswith("-shm") else [])
        elif text:
            return self._decides.changes(text, thread, go, None if name in _BROKEN_OFF else CallEnd(thread))
        go()
        return True

    def _words(self, name: str, thread: int, arguments: Sequence[int]) -> str:
        """What is about to happen, as ``rename state/new to state/bookmark``; empty where it is none of ours."""
        try:
            if name in _BY_DESCRIPTOR:
                verb, place = _BY_DESCRIPTOR[name]
                return self._said(verb, [_link(f"/proc/{thread}/fd/{arguments[place] & 0xFFFFFFFF}")])
            if name not in _BY_NAME:
                return ""
            verb, places = _BY_NAME[name]
            paths = [_path(thread, arguments, folder, at, follow=verb in _FOLLOWS) for folder, at in places]
            return self._said(_opening(name, thread, arguments, paths[0]) if verb == "create" else verb, paths)
        except (OSError, OverflowError, ValueError):
            return ""  # it is gone, or the call will fail

    def _said(self, verb: str, paths: list[str]) -> str:
        if not verb or not any(self._watched(path) for path in paths):
            return ""
        return f"{verb} {' to '.join(self._short(path) for path in paths)}"

    def _watched(self, path: str) -> bool:
        if path.endswith(_REMOVED):
            return False
        return any(path == root or path.startswith(root + os.sep) for root in self._roots)

    def _short(self, path: str) -> str:
        return path.removeprefix(self._folder + os.sep)


def _opening(name: str, thread: int, arguments: Sequence[int], path: str) -> str:
    """What opening a file does to it: ``create``, ``empty``, or nothing."""
    flags = _CREATES | _EMPTIES
    if name == "openat2":
        (flags,) = struct.unpack("Q", _memory(thread, arguments[2], 8))
    elif name != "creat":
        flags = arguments[1 if name == "open" else 2]
    if os.path.lexists(path):
        return "empty" if flags & _EMPTIES and not flags & os.O_EXCL else ""
    return "create" if flags & _CREATES else ""


def _path(thread: int, arguments: Sequence[int], folder: int | None, at: int, *, follow: bool) -> str:
    name = os.fsdecode(_memory(thread, arguments[at], 4096).split(b"\0")[0])
    start = _HERE if folder is None else struct.unpack("i", struct.pack("I", arguments[folder] & 0xFFFFFFFF))[0]
    base = _link(f"/proc/{thread}/cwd" if start == _HERE else f"/proc/{thread}/fd/{start}")
    whole = os.path.normpath(os.path.join(base, name)) if not follow else os.path.join(base, name)  # noqa: PTH118
    if follow:
        return os.path.realpath(whole)
    return os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole))  # noqa: PTH118, PTH119, PTH120


def _link(path: str) -> str:
    return str(Path(path).readlink())


def _memory(thread: int, place: int, length: int) -> bytes:
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - a place in it is read
        memory.seek(place)
        return memory.read(length) or b""
