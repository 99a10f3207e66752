"""A connection that ends after so many bytes, as it does when a server is killed in the middle of an answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

RESET = struct.pack("ii", 1, 0)


class Relay:
    """Passes on to ``upstream``; once ``after_bytes`` of answers have come by, everything is reset, now and later, or
    nothing comes for ``stall_s``."""

    def __init__(self, upstream: tuple[str, int], after_bytes: int | None = None, stall_s: float = 0) -> None:
        self._upstream, self._left, self._stall_s = upstream, after_bytes, stall_s
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.answered_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
            except OSError:
                return
            with self._lock:
                self._open += [client, server]
            if self._left == 0:
                self.reset()
                continue
            for source, sink, counted in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(source, sink, counted), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                now = self._counted(data) if counted else data
                sink.sendall(now)
                if counted and self._left == 0:
                    if not self._stall_s:
                        self.reset()
                        return
                    time.sleep(self._stall_s)
                    self._left = None
                    sink.sendall(data[len(now) :])
            sink.shutdown(socket.SHUT_WR)

    def _counted(self, data: bytes) -> bytes:
        with self._lock:
            if self._left is not None:
                data = data[: self._left]
                self._left -= len(data)
            self.answered_bytes += len(data)
        return data

    def reset(self) -> None:
        """Reset every connection there is, now."""
        with self._lock:
            gone, self._open = self._open, []
        for each in gone:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # Another thread may be reading from it, and would keep it from being closed.
                each.shutdown(socket.SHUT_RD)
            each.close()
