"""Becomes a program whose every ``connect`` asks us first: run as ``python -I -S gated_exec.py FD WHAT PROGRAM ...``.

A seccomp filter hands each call of ``connect`` by the program, and by all that it starts, to the listener that is sent
through the socket FD; where WHAT is ``files``, also each call that changes a file. It imports nothing of ours, and
starts as quickly as an interpreter can.
https://docs.kernel.org/userspace-api/seccomp_filter.html#userspace-notification
"""

from __future__ import annotations

import array
import ctypes
import os
import platform
import socket
import struct
import sys

CONNECT = {"x86_64": (0xC000003E, 42, 317), "aarch64": (0xC00000B7, 203, 277)}
"""By machine: the audit architecture, and the numbers of ``connect`` and of ``seccomp``."""
CHANGES = {
    "x86_64": {
        "write": 1, "mmap": 9, "ioctl": 16, "pwrite64": 18, "writev": 20, "sendfile": 40, "fsync": 74, "fdatasync": 75,
        "truncate": 76, "ftruncate": 77, "open": 2, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86,
        "unlink": 87, "symlink": 88, "openat": 257, "mkdirat": 258, "unlinkat": 263, "renameat": 264, "linkat": 265,
        "symlinkat": 266, "splice": 275, "fallocate": 285, "pwritev": 296, "renameat2": 316, "copy_file_range": 326,
        "pwritev2": 328, "io_uring_setup": 425, "openat2": 437,
    },
    "aarch64": {
        "ioctl": 29, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "truncate": 45,
        "ftruncate": 46, "fallocate": 47, "openat": 56, "write": 64, "writev": 66, "pwrite64": 68, "pwritev": 70,
        "sendfile": 71, "splice": 76, "fsync": 82, "fdatasync": 83, "mmap": 222, "renameat2": 276,
        "copy_file_range": 285, "pwritev2": 287, "io_uring_setup": 425, "openat2": 437,
    },
}  # fmt: skip
"""By machine, the numbers of the calls by which a file is changed, or could be without a call."""
_LOAD, _EQUAL, _ANY_OF, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_NO_NEW_PRIVILEGES, _SET_FILTER, _NEW_LISTENER, _UNDISTURBED = 38, 1, 8, 32
_CREATES_OR_EMPTIES, _SHARED, _WRITABLE, _CLONE = 0x240, 1, 2, 0x40049409
_ONLY_WHERE = {
    "open": [(1, _ANY_OF, _CREATES_OR_EMPTIES)],
    "openat": [(2, _ANY_OF, _CREATES_OR_EMPTIES)],
    "mmap": [(2, _ANY_OF, _WRITABLE), (3, _ANY_OF, _SHARED)],
    "ioctl": [(1, _EQUAL, _CLONE)],
}
"""Of some calls an argument (its place, and what must hold for it) says that nothing is changed by them."""
_Step = tuple[int, int, int, int]


def listener(*, files: bool = False) -> int:
    """Install the filter in this process; the descriptor that is told of each call. ``OSError`` if refused."""
    if platform.machine() not in CONNECT:
        raise OSError(f"a {platform.machine()} is not known here")
    architecture, connect, seccomp = CONNECT[platform.machine()]
    calls = {"connect": connect, **(CHANGES[platform.machine()] if files else {})}
    steps: list[_Step] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, 0)]
    for name, number in calls.items():
        asked = _asked(_ONLY_WHERE.get(name, []))
        steps += [(_EQUAL, 0, len(asked), number), *asked]
    steps.append((_RETURN, 0, 0, _ALLOW))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    words = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    # A signal that arrives while a call waits for us would have it asked twice; older kernels know no better.
    for flags in (_NEW_LISTENER | _UNDISTURBED, _NEW_LISTENER):
        found = libc.syscall(seccomp, _SET_FILTER, flags, words)
        if found >= 0:
            return int(found)
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _asked(conditions: list[tuple[int, int, int]]) -> list[_Step]:
    """What is done of one call: asked about, if all conditions hold, and else let through."""
    steps: list[_Step] = []
    for place, how, value in conditions:
        steps += [(_LOAD, 0, 0, 16 + 8 * place), (how, 1, 0, value), (_RETURN, 0, 0, _ALLOW)]
    return [*steps, (_RETURN, 0, 0, _ASK)]


def main() -> None:
    """Send the listener, or why there is none; then become the program."""
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        try:
            handle = listener(files=sys.argv[2] == "files")
        except OSError as error:
            channel.sendall(str(error).encode())
            sys.exit(126)
        channel.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))])
        # Whoever listens has it now; nothing may be asked before.
        channel.recv(1)
    program = sys.argv[3:]
    try:
        os.execvp(program[0], program)
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
