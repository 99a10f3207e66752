"""Acts with a hard end: whoever waits for one goes on when its time is over, whatever the library in it does.

A thread cannot be ended from outside. One that is still at work when its time is over is left behind, and what it
returns is thrown away.
"""

from __future__ import annotations

import contextvars
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from chaosday.errors import ChaosdayError, TargetUnreachable

T = TypeVar("T")
GARBLED = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, RuntimeError, EOFError,
    MemoryError, struct.error,
)  # fmt: skip
"""What client libraries raise at an answer that nobody foresaw."""


class Underway(Generic[T]):
    """An act that has begun, in a thread of its own."""

    def __init__(self, act: Callable[[], T]) -> None:
        self._act, self._over = act, threading.Event()
        self._results: list[T] = []
        self._error: BaseException | None = None
        thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,), daemon=True)
        thread.start()

    def ended(self, limit_s: float) -> bool:
        """Whether it has come to an end, waiting ``limit_s`` for it."""
        return self._over.wait(max(0.0, limit_s))

    def outcome(self) -> T | BaseException:
        """What it returned, or raised."""
        return self._results[0] if self._error is None else self._error

    def result(self) -> T:
        """What it returned; what it raised is raised."""
        try:
            if self._error is not None:
                raise self._error
            return self._results[0]
        finally:
            del self  # an error knows its frames: one of them that knew the error would keep it, and all it holds

    def _run(self) -> None:
        with _Kept() as kept:
            self._results.append(self._act())
        self._error = kept.error
        self._over.set()
        del kept, self  # see result()


class _Kept:
    """Keeps what was raised within it, whatever it is."""

    error: BaseException | None = None

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error
        return True


def within(limit_s: float, act: Callable[[], T], what: str) -> T:
    """What ``act`` returns or raises; ``TargetUnreachable`` where it has not ended after ``limit_s``, or choked."""
    underway = Underway(act)
    if not underway.ended(limit_s):
        raise TargetUnreachable(f"{what} did not end within {limit_s:g} s")
    try:
        with understood(what):
            return underway.result()
    finally:
        del underway  # see result()


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Answers that a client library chokes on are ``TargetUnreachable``, in one line."""
    try:
        yield
    except ChaosdayError:
        raise
    except GARBLED as error:
        raise TargetUnreachable(f"{what}: an answer that cannot be understood ({in_a_line(error)})") from None


def in_a_line(error: BaseException, most: int = 160) -> str:
    """Kind and words of an error, of which libraries put whole answers into the latter."""
    return f"{type(error).__name__} {' '.join(str(error)[: 4 * most].split())}"[:most].strip()


class LastMoment:
    """The moment after which an answer is too late, and how much of it may come until then."""

    def __init__(self, limit_s: float, most_bytes: int) -> None:
        self.until, self.room = time.monotonic() + limit_s, most_bytes

    def left_s(self) -> float:
        """Seconds, negative where it is over."""
        return self.until - time.monotonic()

    def take(self, count: int) -> bool:
        """Whether so many bytes more are still within."""
        self.room -= count
        return self.room >= 0
