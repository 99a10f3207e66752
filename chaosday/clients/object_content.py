"""What the S3 workload stores: bodies that say what they are, so that any damage to them shows.

A body is 24 bytes of header (key, value, length) and a filling that follows from them. The value is
unique to its write; a body that is not exactly what its header says is damaged.
"""

from __future__ import annotations

import hashlib
import struct

import pyarrow as pa

HEADER = struct.Struct(">qqq")
ABSENT, DAMAGED, UNREADABLE = 0, -1, -2
WRITES = ("put", "multipart", "delete")
SHARED_FROM = 900_000_000_000
"""Keys from here on are written by every client, on conditions; below, each key has one writer."""

OBJECTS = pa.schema([("key", pa.int64()), ("value", pa.int64()), ("holder", pa.int64()), ("size", pa.int64())])
VERSIONS = pa.schema([("key", pa.int64()), ("value", pa.int64()), ("latest", pa.bool_())])


def body_of(key: int, value: int, size: int) -> bytes:
    """The body that is stored for a write."""
    header = HEADER.pack(key, value, max(size, HEADER.size))
    return header + hashlib.shake_128(header).digest(max(0, size - HEADER.size))


def read_body(body: bytes) -> tuple[int, int]:
    """Key and value that a body says it is; ``DAMAGED`` for the value where it is not what it says."""
    if len(body) < HEADER.size:
        return DAMAGED, DAMAGED
    key, value, size = HEADER.unpack_from(body)
    return (key, value) if size == len(body) and body == body_of(key, value, size) else (key, DAMAGED)
