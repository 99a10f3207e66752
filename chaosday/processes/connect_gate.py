"""Every connection that a tree of processes opens, seen before it is opened, and refused where it must not be.

The same listener is told of changes of files, where somebody decides about them (``file_acts``).

Whoever wants to say that a program spoke through a proxy alone has to know of every other way that it took. Seen are
calls of ``connect`` on stream sockets; datagrams (name servers), ``io_uring`` and sockets that were inherited are not.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chaosday.errors import CapabilityMissing
from chaosday.processes.file_acts import Files
from chaosday.processes.gated_exec import CONNECT

_RECEIVE, _SEND, _VALID = 0xC0502100, 0xC0182101, 0x40082102
_NOTICE = struct.Struct("QIIiIQ6Q")
_ANSWER = struct.Struct("QqiI")
_CONTINUE = 1
_GET_DESCRIPTOR = 438
_TICK_S = 0.2
UNREADABLE = "an address that could not be read"
"""How ``kept_off`` begins to name what nobody could look at: it is refused, wherever it leads."""

Refused = Callable[[str], bool]


def supported() -> str:
    """Why connections cannot be watched on this machine; empty where they can."""
    if platform.system() != "Linux":
        return f"connections are watched by Linux' seccomp, and this is {platform.system()}"
    try:
        actions = Path("/proc/sys/kernel/seccomp/actions_avail").read_text().split()
    except OSError:
        actions = []
    return "" if "user_notif" in actions else "this kernel's seccomp has no user notification"


class ConnectGate:
    """Watches one tree of processes from ``adopt`` to ``close``.

    ``refused`` is asked about each address (``host:port``, or the path of a socket): a refused one gets
    ``ECONNREFUSED``, and so does one that cannot be read. ``opened`` counts the others, ``kept_off`` those refused.
    """

    def __init__(self, refused: Refused, files: Files | None = None) -> None:
        self.opened: Counter[str] = Counter()
        self.kept_off: Counter[str] = Counter()
        self._refused = refused
        self._files = files
        self._handle = -1
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="connect-gate", daemon=True)

    @property
    def watches_files(self) -> bool:
        """Whether changes of files are asked about, too."""
        return self._files is not None

    @property
    def unseen(self) -> Counter[str]:
        """What changes files without asking, in words."""
        return Counter() if self._files is None else self._files.unseen

    def adopt(self, channel: socket.socket) -> None:
        """Take over the listener that ``gated_exec`` sends; ``CapabilityMissing`` where it could install none."""
        said, handles, _, _ = socket.recv_fds(channel, 200, 1)
        if not handles:
            why = said.decode(errors="replace") or "its launcher ended"
            raise CapabilityMissing(f"the command's connections cannot be watched here: {why}")
        self._handle = handles[0]
        self._thread.start()
        channel.sendall(b"!")

    def close(self) -> None:
        """Let go; any number of times. The processes have ended, or find that ``connect`` is not there."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        while not self._over.is_set():
            for _, event in poll.poll(_TICK_S * 1000):
                if not event & select.POLLIN:
                    return  # no process is left that could ask
                if not self._answer():
                    return  # all stands still until it is ended; an answer that never comes lets nothing through

    def _answer(self) -> bool:
        """Hear of one call and let it go on, or refuse it; False where from now on nobody is answered."""
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self._handle, _RECEIVE, notice)
        except OSError:
            return True  # whoever asked has died meanwhile
        number, pid, _, call, _, _, *arguments = _NOTICE.unpack(notice)
        if self._files is not None and call != CONNECT[platform.machine()][1]:
            return self._files.asked(pid, call, arguments, partial(self._send, number))
        address = self._address(number, pid, arguments[0], arguments[1], arguments[2])
        wrong = bool(address) and (address.startswith(UNREADABLE) or self._refused(address))
        if address:
            (self.kept_off if wrong else self.opened)[address] += 1
        self._send(number, errno.ECONNREFUSED if wrong else 0)
        return True

    def _send(self, number: int, error: int = 0) -> bool:
        """Let a call go on, or fail; whether there is anybody left to hear it."""
        answer = _ANSWER.pack(number, 0, -error, 0 if error else _CONTINUE)
        try:
            fcntl.ioctl(self._handle, _SEND, answer)
        except OSError:
            return False  # it was killed while it waited
        return True

    def _address(self, number: int, pid: int, descriptor: int, place: int, length: int) -> str:
        """What is to be connected to; empty for a datagram socket, and for what is gone."""
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - a place in it is read
                memory.seek(place)
                raw = memory.read(min(length, 128))
        except (OSError, OverflowError):
            # Yama lets nobody look into what is not its own descendant; a wild address leads nowhere.
            raw = None
        try:
            fcntl.ioctl(self._handle, _VALID, struct.pack("Q", number))
        except OSError:
            return ""
        if raw is None:
            return f"{UNREADABLE}, of process {pid}"
        address = named(raw)
        return address if address and _is_stream(pid, descriptor) else ""


def named(raw: bytes) -> str:
    """A socket address in words: ``host:port`` or a path; empty for families in which nothing is written elsewhere."""
    family = struct.unpack_from("H", raw)[0] if len(raw) >= 2 else 0
    if family == socket.AF_INET and len(raw) >= 8:
        return f"{socket.inet_ntop(socket.AF_INET, raw[4:8])}:{struct.unpack_from('!H', raw, 2)[0]}"
    if family == socket.AF_INET6 and len(raw) >= 24:
        host = socket.inet_ntop(socket.AF_INET6, raw[8:24]).removeprefix("::ffff:")
        return f"{host if '.' in host else f'[{host}]'}:{struct.unpack_from('!H', raw, 2)[0]}"
    if family == socket.AF_UNIX:
        return raw[2:].split(b"\0")[0].decode(errors="replace") or raw[3:].rstrip(b"\0").decode(errors="replace")
    return ""


def _leader(thread: int) -> int:
    """The process that a thread belongs to: a notice names the thread, and only of processes can descriptors be had."""
    for line in Path(f"/proc/{thread}/status").read_text().splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    return thread


def _is_stream(pid: int, descriptor: int) -> bool:
    """Whether it is a stream socket: asked of the socket itself. Where that is not possible it counts as one."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        process = os.pidfd_open(_leader(pid))
    except OSError:
        return True
    try:
        copy = libc.syscall(_GET_DESCRIPTOR, process, descriptor & 0xFFFFFFFF, 0)
    finally:
        os.close(process)
    if copy < 0:
        return True
    with socket.socket(fileno=copy) as found:
        return found.type == socket.SOCK_STREAM
