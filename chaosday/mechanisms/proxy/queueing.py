"""Stages that keep bytes for a while."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque

from chaosday.mechanisms.proxy.connection import Stage, Stream


class QueueingStage(Stage):
    """Keeps pieces in order until ``_due``; ``None`` in the queue is the end of the stream.

    ``limit_bytes`` bounds what is held: beyond it the source waits, as it would for a full link.
    """

    def __init__(self, stream: Stream, limit_bytes: int) -> None:
        super().__init__(stream)
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._held = 0
        self._limit = limit_bytes
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, data: bytes) -> None:
        """Queue a piece."""
        self._add(data)

    def end(self) -> None:
        """Queue the end."""
        self._add(None)

    def release(self) -> None:
        """Everything at once."""
        self._cancel()
        while self._queue:
            self._pass(self._queue.popleft()[1])
        self.stream.let_go(self)

    def drop(self) -> None:
        """Nothing any more."""
        self._cancel()
        self._queue.clear()

    @abstractmethod
    def _due(self, data: bytes | None) -> float:
        """When a piece that arrives now may go, on the loop's clock."""

    @abstractmethod
    def _tick(self) -> None:
        """Pass on what may go, and ``_wake`` for the rest."""

    def _add(self, data: bytes | None) -> None:
        self._queue.append((self._due(data), data))
        self._held += len(data or b"")
        if self._held > self._limit:
            self.stream.hold(self)
        if self._timer is None:
            self._wake(self._queue[0][0])

    def _pass(self, data: bytes | None) -> None:
        if data is None:
            self.next.end()
            return
        self._held -= len(data)
        self.next.feed(data)
        if self._held <= self._limit:
            self.stream.let_go(self)

    def _wake(self, when: float) -> None:
        self._timer = self._loop.call_at(when, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._tick()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
