"""The target for the broken store: a test puts this file into a copy of the package, where the registry finds it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any, Literal

from chaosday.errors import TargetUnreachable
from chaosday.model.store import NoEffect, Options, Session, Store, Unanswered
from chaosday.model.target import Target


class BrokenSession:
    """A line of JSON there, a line back."""

    def __init__(self, port: int, timeout_s: float) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._connection.makefile("rb")

    def ask(self, f: str, key: Any, value: Any) -> Any:
        try:
            self._connection.sendall(json.dumps([f, key, value]).encode() + b"\n")
            said = json.loads(self._answers.readline())
        except (OSError, ValueError) as error:
            raise Unanswered(str(error)) from None
        if "refused" in said:
            raise NoEffect(said["refused"])
        return said["result"]

    def close(self) -> None:
        self._connection.close()


class Broken(Target):
    """A server of tests/broken/server.py."""

    kind: Literal["broken"] = "broken"
    port: int = 1

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {Store: self}

    def reach(self) -> str:
        try:
            session = BrokenSession(self.port, 5)
        except OSError as error:
            raise TargetUnreachable(f"the broken store does not answer: {error}") from None
        session.close()
        return "the broken store"

    def make(self, space: str, options: Options) -> None:
        self.reach()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        return BrokenSession(self.port, timeout_s)

    def drop(self, space: str) -> None:
        """It goes with its server."""
