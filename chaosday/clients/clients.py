"""SQL clients that write under faults: reconnecting, paced, recorded, and honest about how each operation ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chaosday.clients.pacing import paced
from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.model.history import STATUSES
from chaosday.model.sql import Sql, SqlConnection
from chaosday.model.store import NoEffect
from chaosday.model.workload import Stop
from chaosday.processes.limits.within import GARBLED, in_a_line
from chaosday.record.recorder import Recorder

OK, FAILED, UNKNOWN = STATUSES

RECONNECT_S = (0.02, 0.5)


@dataclass(frozen=True)
class ClientSettings:
    """How a group of clients behaves; ``rate_per_s`` is over all of them, 0 is as fast as it goes."""

    clients: int
    rate_per_s: float
    operation_timeout_s: float
    seed: int
    first_process: int = 0


class Client(threading.Thread):
    """One logical process: one connection, one operation at a time, its own recorder and generator."""

    def __init__(self, sql: Sql, directory: Path, process: int, settings: ClientSettings, stop: Stop) -> None:
        super().__init__(name=f"client-{process}", daemon=True)
        self.process = process
        self.rng = np.random.default_rng([settings.seed, process])
        self.recorder = Recorder(directory, process)
        self.refused: str | None = None
        self.open_since: float | None = None
        self._sql = sql
        self._errors: tuple[type[Exception], ...] = (*sql.dialect.errors, OSError, *GARBLED)
        self._settings = settings
        self._stopping = stop
        self._connection: SqlConnection | None = None
        self._step: Callable[[Client], None] = lambda _: None

    def drive(self, step: Callable[[Client], None]) -> None:
        """Call ``step`` over and over, from now on, until the stop."""
        self._step = step
        self.start()

    def run(self) -> None:
        settings = self._settings
        interval_s = settings.clients / settings.rate_per_s if settings.rate_per_s else 0.0
        for _ in paced(self._stopping, self.rng, interval_s):
            if self._connection is None and not self._connect():
                continue
            self._step(self)
        self._disconnect()

    def attempt(
        self, f: str, act: Callable[[SqlConnection], Any], *, key: Any = None, value: Any = None, attempted: Any = None
    ) -> bool:
        """Do one operation and record how it ended; true when it was acknowledged.

        ``act`` gets the connection and returns the result; ``attempted`` is recorded as the result
        where there is none. An error is ``failed`` only when the database says that the statement had
        no effect; everything else is ``unknown``.
        """
        connection, dialect = self._connection, self._sql.dialect
        assert connection is not None
        acknowledged = False
        index = self.recorder.invoke(f, key, value)
        self.open_since = time.monotonic()
        try:
            result = act(connection)
        except NoEffect as error:
            self.recorder.end(index, FAILED, attempted, str(error))
        # What a library makes of an answer that is none says nothing about the operation.
        except self._errors as error:
            words = dialect.code(error) or in_a_line(error)[:120]
            definite = isinstance(error, dialect.errors) and dialect.definite(error)
            self.recorder.end(index, FAILED if definite else UNKNOWN, attempted, words)
            connection.usable &= definite
        else:
            self.recorder.end(index, OK, result)
            acknowledged = True
        finally:
            self.open_since = None
        if not connection.usable:
            self._disconnect()
        return acknowledged

    def reap(self, now: float) -> None:
        """Cut the connection of an operation that has been open for too long; it ends ``unknown``."""
        since, connection = self.open_since, self._connection
        if since is None or connection is None or now - since < self._settings.operation_timeout_s:
            return
        connection.cut()

    def _connect(self) -> bool:
        low, high = RECONNECT_S
        try:
            self._connection = self._sql.open(timeout_s=2, answer_s=self._settings.operation_timeout_s)
        except (AccessDenied, TargetUnreachable) as error:
            self.refused = str(error)
        else:
            self._sql.dialect.left_waiting(self._connection.raw)  # from here on ``reap`` looks at the clock
            return True
        self._stopping.wait(float(self.rng.uniform(low, high)))
        return False

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def run_clients(
    sql: Sql,
    directory: Path,
    stop: Stop,
    settings: ClientSettings,
    step_for: Callable[[Client], Callable[[Client], None]],
) -> None:
    """Run the clients until ``stop``, cutting operations that outlive their time-out.

    A client that is stuck in the network when the stop comes is left behind: its last operation has
    no end in the record, which reads back as ``unknown``, which is the truth.
    """
    group = [
        Client(sql, directory, settings.first_process + number, settings, stop) for number in range(settings.clients)
    ]
    for client in group:
        client.drive(step_for(client))
    while not stop.wait(0.1):
        now = time.monotonic()
        for client in group:
            client.reap(now)
    deadline = time.monotonic() + 1
    for client in group:
        client.join(max(0.0, deadline - time.monotonic()))
