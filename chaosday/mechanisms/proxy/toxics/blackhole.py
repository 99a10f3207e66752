"""Bytes go in and never come out, and nobody is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


class _Hole(Stage):
    cuts = True

    def feed(self, data: bytes) -> None:
        self.stream.discarded += len(data)
        self.stream.connection.mutilated = True

    def end(self) -> None:
        self.stream.connection.mutilated = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Blackhole(Toxic):
    """Reads and discards. New connections are accepted and, where both ways are cut, lead nowhere.

    A stream with a hole in it cannot be mended: when the toxic goes, every connection that lost something is
    reset, so that nothing that was cut is delivered late, and nothing after it is taken for its sequel.
    """

    kind: ClassVar[str] = "blackhole"

    def stage(self, stream: Stream) -> Stage:
        """The hole."""
        return _Hole(stream)

    def attach(self, connection: Connection, fresh: bool) -> list[tuple[Stream, Stage]]:
        """A connection that has no server yet gets none."""
        put = super().attach(connection, fresh)
        if not connection.connected and self.direction == "both":
            connection.blocked.add(self)
            connection.up.let_go("connect")
        return put

    def detach(self, connection: Connection) -> None:
        """Reset what lost bytes, and what never had a server."""
        if connection.mutilated or self in connection.blocked:
            connection.reset()
