"""Nothing passes, nothing is lost: what was sent arrives when the partition ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaosday.mechanisms.proxy.connection import Connection, Stage, Stream
from chaosday.mechanisms.proxy.toxic import Toxic


class _Dam(Stage):
    cuts = True

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._held: list[bytes] = []
        self._ended = False
        stream.hold(self)

    def feed(self, data: bytes) -> None:
        self._held.append(data)

    def end(self) -> None:
        self._ended = True

    def release(self) -> None:
        held, self._held = self._held, []
        for data in held:
            self.next.feed(data)
        if self._ended:
            self.next.end()
        self.stream.let_go(self)

    def drop(self) -> None:
        self._held.clear()


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition(Toxic):
    """Stops reading, so that senders fill their buffers and wait; new connections hang."""

    kind: ClassVar[str] = "partition"

    def stage(self, stream: Stream) -> Stage:
        """The dam."""
        return _Dam(stream)

    def attach(self, connection: Connection, fresh: bool) -> list[tuple[Stream, Stage]]:
        """A connection that has no server yet waits for it: a handshake needs both ways."""
        if not connection.connected:
            connection.blocked.add(self)
        return super().attach(connection, fresh)

    def detach(self, connection: Connection) -> None:
        """Connect those that waited; one of whose sides went away meanwhile is reset now."""
        connection.blocked.discard(self)
        if connection.mutilated:
            connection.reset()
        else:
            connection.connect()
