"""Becomes a program whose every ``connect`` asks us first: run as ``python -I -S gated_exec.py FD PROGRAM ...``.

A seccomp filter hands each call of ``connect`` by the program, and by all that it starts, to the listener that is sent
through the socket FD. It imports nothing of ours, and starts as quickly as an interpreter can.
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
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_NO_NEW_PRIVILEGES, _SET_FILTER, _NEW_LISTENER = 38, 1, 8


def listener() -> int:
    """Install the filter in this process; the descriptor that is told of each ``connect``. ``OSError`` if refused."""
    if platform.machine() not in CONNECT:
        raise OSError(f"a {platform.machine()} is not known here")
    architecture, connect, seccomp = CONNECT[platform.machine()]
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 3, architecture),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 1, connect),
        (_RETURN, 0, 0, _ASK),
        (_RETURN, 0, 0, _ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    words = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    found = libc.syscall(seccomp, _SET_FILTER, _NEW_LISTENER, words)
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(found)


def main() -> None:
    """Send the listener, or why there is none; then become the program."""
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        try:
            handle = listener()
        except OSError as error:
            channel.sendall(str(error).encode())
            sys.exit(126)
        channel.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))])
        # Whoever listens has it now; nothing may be asked before.
        channel.recv(1)
    program = sys.argv[2:]
    try:
        os.execvp(program[0], program)
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
