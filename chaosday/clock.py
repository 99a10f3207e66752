"""Time as a value that can be handed in, so that nothing timed needs a real wait to be tested."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two readings and a wait: durations come from ``monotonic_ns``, dates from ``wall_ns``."""

    def monotonic_ns(self) -> int: ...

    def wall_ns(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class ManualClock:
    """A clock that moves only when it is told to, or when somebody sleeps on it."""

    now_ns: int = 0
    origin_ns: int = 1_700_000_000_000_000_000
    slept_s: list[float] = field(default_factory=list)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.origin_ns + self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both readings forward by ``seconds``."""
        self.now_ns += int(seconds * 1e9)


def iso(wall_ns: int) -> str:
    """A wall reading as RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).isoformat(timespec="microseconds")
