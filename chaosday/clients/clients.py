"""SQL clients that write under faults: reconnecting, paced, recorded, and honest about how each operation ended."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chaosday.clients.pacing import paced
from chaosday.clients.sqlstates import DEFINITE
from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.model.history import STATUSES
from chaosday.model.store import NoEffect
from chaosday.model.target import Sql
from chaosday.model.workload import Stop
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
        self._settings = settings
        self._stopping = stop
        self._connection: Any = None
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
        self, f: str, act: Callable[[Any], Any], *, key: Any = None, value: Any = None, attempted: Any = None
    ) -> bool:
        """Do one operation and record how it ended; true when it was acknowledged.

        ``act`` gets the connection and returns the result; ``attempted`` is recorded as the result
        where there is none. An error is ``failed`` only when the server says that the statement had
        no effect; everything else is ``unknown``.
        """
        import psycopg

        index = self.recorder.invoke(f, key, value)
        self.open_since = time.monotonic()
        try:
            result = act(self._connection)
        except NoEffect as error:
            self.recorder.end(index, FAILED, attempted, str(error))
            return False
        except (psycopg.Error, OSError) as error:
            state = getattr(error, "sqlstate", None) or ""
            words = state or " ".join(str(error).split())[:120]
            self.recorder.end(index, FAILED if state.startswith(DEFINITE) else UNKNOWN, attempted, words)
            if self._connection is not None and (self._connection.broken or self._connection.closed or not state):
                self._disconnect()
            return False
        finally:
            self.open_since = None
        self.recorder.end(index, OK, result)
        return True

    def reap(self, now: float) -> None:
        """Cut the connection of an operation that has been open for too long; it ends ``unknown``."""
        since, connection = self.open_since, self._connection
        if since is None or connection is None or now - since < self._settings.operation_timeout_s:
            return
        try:
            with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
        except (OSError, ValueError, AttributeError):
            return  # it ended while we looked

    def _connect(self) -> bool:
        low, high = RECONNECT_S
        try:
            self._connection = self._sql.connect(timeout_s=2)
        except AccessDenied as error:
            self.refused = str(error)
        except TargetUnreachable as error:
            self.refused = str(error)
        else:
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
