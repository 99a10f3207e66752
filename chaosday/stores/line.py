"""Whatever answers a line of JSON with a line of JSON, as a Store: for systems that chaosday has no client for.

Requests are objects with ``do``: ``reach``; ``make``, ``drop`` and ``open`` with ``space`` and ``options`` (``open``
also ``timeout_s``); ``ask`` with ``f``, ``key`` and ``value``, after an ``open``. The answer holds ``result``, or
``refused`` (it had no effect), or ``unknown`` (nobody knows), the latter two in words.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.model.store import NoEffect, Options, Session, Unanswered
from chaosday.processes.limits.sockets import BoundedSocket
from chaosday.processes.limits.within import GARBLED, in_a_line

LONGEST_BYTES = 64 << 20


class LineSession:
    """One connection; one operation at a time."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        try:
            self._connection = BoundedSocket.around(socket.create_connection((host, port), timeout_s), timeout_s)
        except OSError as error:
            raise TargetUnreachable(f"nothing takes lines at {host}:{port}: {error}") from None
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._connection.makefile("rb")

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """Whatever the system behind it does."""
        return self.do("ask", f=f, key=key, value=value)

    def do(self, what: str, **told: Any) -> Any:
        """One request, one answer."""
        try:
            self._connection.sendall(json.dumps({"do": what, **told}).encode() + b"\n")
            said = json.loads(self._answers.readline(LONGEST_BYTES))
            if not isinstance(said, dict):
                raise ValueError("the answer is no object")
        except (OSError, *GARBLED) as error:
            raise Unanswered(in_a_line(error)) from None
        if "refused" in said:
            raise NoEffect(str(said["refused"]))
        if "result" not in said:
            raise Unanswered(str(said.get("unknown", "an answer without a result")))
        return said["result"]

    def close(self) -> None:
        self._answers.close()
        self._connection.close()


class LineStore:
    """A connection for each session, and one more for what is done between them."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def make(self, space: str, options: Options) -> None:
        """Whatever it needs."""
        self.once("make", space=space, options=dict(options))

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """Options ``host`` and ``port`` name another server; all others are passed on."""
        host, port = str(options.get("host", self._host)), int(options.get("port", self._port))
        session = LineSession(host, port, timeout_s)
        try:
            session.do("open", space=space, options=dict(options), timeout_s=timeout_s)
        except (NoEffect, Unanswered) as error:
            session.close()
            raise TargetUnreachable(f"{host}:{port}: {error}") from None
        return session

    def drop(self, space: str) -> None:
        """Whatever ``make`` made."""
        self.once("drop", space=space, options={})

    def once(self, what: str, **told: Any) -> Any:
        """One request on a connection of its own; ``TargetUnreachable`` where it is not granted."""
        session = LineSession(self._host, self._port, 5)
        try:
            return session.do(what, **told)
        except (NoEffect, Unanswered) as error:
            raise TargetUnreachable(f"{self._host}:{self._port}: {error}") from None
        finally:
            session.close()
