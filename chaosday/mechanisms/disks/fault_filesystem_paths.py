"""Paths of a directory, taken below its descriptor and nowhere else. Runs beside fault_filesystem_daemon.

Whoever owns a directory can put a link where a name was a moment ago, and the daemon is root. So no call of its follows
one: every path is resolved by ``openat2`` below the descriptor (older kernels: name by name), what was opened is looked
at before it is used, and what somebody makes is made with their user and group.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import threading
from collections.abc import Iterator
from typing import Any

OPENAT2 = 437  # on every architecture: openat2 is younger than the table that they share
BENEATH = 0x08 | 0x04 | 0x02  # RESOLVE_BENEATH, _NO_SYMLINKS, _NO_MAGICLINKS
PR_SET_SECUREBITS, NO_SETUID_FIXUP = 28, 1 << 2
LOOK = os.O_PATH | os.O_NOFOLLOW
libc = ctypes.CDLL(None, use_errno=True)


class How(ctypes.Structure):
    """``struct open_how`` of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Beneath:
    """One directory, held open; ``context`` gives user, group and pid of whoever called."""

    def __init__(self, directory: int, context: Any) -> None:
        self.root, self.context, self.thread, self.known = directory, context, threading.local(), True

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        """A descriptor of a path below; the path is as FUSE says it, from "/"."""
        inside, flags = path.strip("/") or ".", flags | os.O_NOFOLLOW | os.O_CLOEXEC
        while self.known:
            how = How(flags, mode & 0o7777 if flags & os.O_CREAT else 0, BENEATH)
            name, size = os.fsencode(inside), ctypes.sizeof(How)
            handle = libc.syscall(OPENAT2, self.root, name, ctypes.byref(how), ctypes.c_size_t(size))
            if handle >= 0:
                return int(handle)
            failed = ctypes.get_errno()
            if failed in (errno.ENOSYS, errno.EPERM):
                self.known = False
            elif failed != errno.EAGAIN:
                raise OSError(failed, os.strerror(failed))
        return self.walk(inside, flags, mode)

    def walk(self, inside: str, flags: int, mode: int) -> int:
        """The same where the kernel has no openat2: no name of the way may be a link, or lead up."""
        *above, last = inside.split("/")
        at = os.dup(self.root)
        try:
            for name in above:
                if name == "..":
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
                below = os.open(name, os.O_DIRECTORY | LOOK, dir_fd=at)
                os.close(at)
                at = below
            if last == "..":
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return os.open(last, flags, mode, dir_fd=at)
        finally:
            os.close(at)

    @contextlib.contextmanager
    def above(self, path: str) -> Iterator[Any]:
        """The directory that holds the path, as a descriptor, and the path's last name."""
        folder, _, name = path.rstrip("/").rpartition("/")
        handle = self.open(folder, os.O_DIRECTORY | LOOK)
        try:
            yield handle, name or "."
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def looked(self, path: str) -> Iterator[int]:
        """The thing itself, not opened for reading or writing."""
        handle = self.open(path, LOOK)
        try:
            yield handle
        finally:
            os.close(handle)

    def regular(self, path: str, flags: int, asked: int) -> int:
        """A regular file, opened with ``flags`` if the caller may do what was ``asked``.

        The kernel has asked already, but about the file that had the name a moment ago.
        """
        with self.looked(path) as handle:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            reads, writes = asked & os.O_ACCMODE != os.O_WRONLY, asked & os.O_ACCMODE != os.O_RDONLY
            # One that may be executed is opened for reading by the kernel itself.
            readable = self.may(found, 4) or (not writes and self.may(found, 1))
            if (reads and not readable) or (writes and not self.may(found, 2)):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
            return os.open(f"/proc/self/fd/{handle}", flags & ~os.O_NOFOLLOW | os.O_CLOEXEC)

    def may(self, found: os.stat_result, wanted: int) -> bool:
        """Whether the caller may read (4), write (2) or execute (1) it, by its mode."""
        user, group, pid = self.context()
        if user == 0:
            return True
        if user == found.st_uid:
            return bool(found.st_mode >> 6 & wanted)
        if group == found.st_gid or found.st_gid in groups(pid):
            return bool(found.st_mode >> 3 & wanted)
        return bool(found.st_mode & wanted)

    def owned(self, handle: int) -> None:
        """Refuse what only the owner may."""
        user = self.context()[0]
        if user not in (0, os.fstat(handle).st_uid):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    @contextlib.contextmanager
    def as_caller(self) -> Iterator[None]:
        """What is made within is the caller's from the beginning: there is no moment to exchange it in."""
        if not hasattr(self.thread, "kept"):
            # Without this a change of user takes away the right to go where only the caller's other groups may.
            self.thread.kept = libc.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0)
        user, group, _ = self.context()
        libc.setfsgid(group)
        libc.setfsuid(user)
        try:
            yield
        finally:
            libc.setfsuid(os.geteuid())
            libc.setfsgid(os.getegid())


def groups(pid: int) -> list[int]:
    """The other groups of a process; none where it cannot be asked."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next([int(word) for word in line.split()[1:]] for line in file if line.startswith("Groups:"))
    except (OSError, StopIteration, ValueError):
        return []
