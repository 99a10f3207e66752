"""Message brokers whose messages end: their libraries hold what a broker announces, however much that is.

A message of ours is a number. One of a gigabyte is none of ours, and is refused when it is announced, not when it is
here.
"""

from __future__ import annotations

from typing import Any

MESSAGE_BYTES = 256 << 10
"""The largest message that is taken in, whatever it is an answer to."""
UNREAD_BYTES = 1 << 20
"""What may have come of something whose length is not known yet."""


def too_long(length: int) -> str:
    """The words for a message that is refused."""
    return f"a message of {length} bytes, where {MESSAGE_BYTES} are the most"


def bounded_amqp() -> type[Any]:
    """pika's connection, which breaks off where a frame or a message is longer than it may be."""
    from pika import SelectConnection, exceptions, frame, spec

    class Bounded(SelectConnection):  # type: ignore[misc]
        def _read_frame(self) -> Any:
            begun, most = self._frame_buffer[: spec.FRAME_HEADER_SIZE], self.params.frame_max
            # What begins with AMQP is no frame, but the versions that a broker would rather speak.
            if len(begun) == spec.FRAME_HEADER_SIZE and not begun.startswith(b"AMQP"):
                length = int.from_bytes(begun[3:], "big")
                if length > most:
                    raise exceptions.InvalidFrameError(f"a frame of {length} bytes, where {most} are the most")
            consumed, found = super()._read_frame()
            if isinstance(found, frame.Header) and found.body_size > MESSAGE_BYTES:
                raise exceptions.InvalidFrameError(too_long(found.body_size))
            return consumed, found

    return Bounded


def bounded_nats() -> type[Any]:
    """nats-py's parser, which breaks off where a message or a line is longer than it may be.

    Its client closes the connection then without a word, so the words are kept in ``refused`` of the parser.
    """
    from nats.errors import ProtocolError
    from nats.protocol.parser import AWAITING_MSG_PAYLOAD, Parser

    class Bounded(Parser):
        refused = ""

        async def parse(self, data: bytes = b"") -> None:
            await super().parse(data)
            if self.state == AWAITING_MSG_PAYLOAD and self.needed > MESSAGE_BYTES:
                self.refused = too_long(self.needed)
            elif len(self.buf) > UNREAD_BYTES:
                self.refused = f"{len(self.buf)} bytes without an end"
            if self.refused:
                self.reset()
                raise ProtocolError

    return Bounded
