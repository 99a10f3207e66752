"""The shared memory of a PostgreSQL that was killed: the kernel keeps it until somebody says that nobody needs it.

A server that is started again on the same data takes its predecessor's away. One that is not leaves a System V segment
of 56 bytes, whose key is the inode of its data directory, and a POSIX one which is named in that. Sources: PostgreSQL,
src/backend/port/sysv_shmem.c and src/include/storage/pg_shmem.h; shmctl(2).
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_MAGIC = 679834894
_TRIES = 8
"""The server takes the next key where the one of the inode is in use."""
_REMOVE, _READ_ONLY = 0, 0o10000
_POSIX = Path("/dev/shm")


class _Header(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_int32),
        ("creator", ctypes.c_int32),
        ("total", ctypes.c_size_t),
        ("free", ctypes.c_size_t),
        ("control", ctypes.c_uint32),
        ("index", ctypes.c_void_p),
        ("device", ctypes.c_uint64),
        ("inode", ctypes.c_uint64),
    ]


def release(data_directory: Path) -> int:
    """Remove what a dead server of this data directory left; how many segments that were. Call it only when the server
    is dead: a living one keeps what it has, but could not be told from one of its children.

    Nothing happens on other systems than Linux, where the keys are made otherwise.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        place = data_directory.stat()
    except OSError:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    return sum(_release(libc, place.st_ino + n, (place.st_dev, place.st_ino)) for n in range(_TRIES))


def _release(libc: ctypes.CDLL, key: int, place: tuple[int, int]) -> int:
    segment = libc.shmget(ctypes.c_int(key & 0xFFFFFFFF), 0, 0)
    if segment < 0:
        return 0
    address = libc.shmat(segment, None, _READ_ONLY)
    if address in (None, ctypes.c_void_p(-1).value):
        return 0
    header = _Header.from_address(address)
    ours = (header.magic, header.device, header.inode) == (_MAGIC, *place)
    control = header.control
    libc.shmdt(ctypes.c_void_p(address))
    if not ours or _attached(segment):
        return 0
    libc.shmctl(segment, _REMOVE, None)
    if control:
        (_POSIX / f"PostgreSQL.{control}").unlink(missing_ok=True)
    return 1


def _attached(segment: int) -> bool:
    """Whether any process has it mapped: the postmaster and its children do for as long as they live."""
    for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1]) == segment:
            return int(words[6]) > 0
    return False
