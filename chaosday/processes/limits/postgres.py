"""A connection to PostgreSQL whose answers end: libpq waits for as long as a server leaves it waiting."""

from __future__ import annotations

import fcntl
import struct
import termios
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from chaosday.processes.limits.within import LastMoment

T = TypeVar("T")
ANSWER_BYTES = 256 << 20


class BoundedConnection(psycopg.Connection[Any]):
    """Each wait for the server ends after ``answer_s`` or ``answer_bytes``, and with it the connection.

    A wait is a statement with its rows, or one block of a COPY. Without ``answer_s`` it is psycopg's own: clients of
    workloads cut what takes too long by themselves, and a look at the clock in Python costs them operations.
    """

    answer_s: float = 0.0
    answer_bytes: int = ANSWER_BYTES

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """As psycopg's own; ``OperationalError`` where a limit is reached."""
        return super().wait(self._bounded(gen) if self.answer_s else gen, *args, **kwargs)

    def _bounded(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        limit = LastMoment(self.answer_s, self.answer_bytes)
        try:
            ready = yield next(gen)
            # Most answers are here after one wait, which is short of any limit: what the kernel holds by then is read
            # before anything is asked that costs a client of a workload operations.
            asked = gen.send(ready)
            while True:
                ready = yield asked
                if limit.left_s() < 0:
                    self._give_up(f"no answer within {self.answer_s:g} s")
                if ready and not limit.take(_waiting_bytes(self.pgconn.socket)):
                    self._give_up(f"an answer of more than {self.answer_bytes} bytes")
                asked = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result

    def _give_up(self, words: str) -> None:
        # In the middle of an answer nothing else can be asked, not even for a rollback.
        self.pgconn.finish()
        raise psycopg.OperationalError(words)


def _waiting_bytes(handle: int) -> int:
    """What has come and was not read yet, encrypted or not."""
    return int(struct.unpack("i", fcntl.ioctl(handle, termios.FIONREAD, b"\0\0\0\0"))[0])
