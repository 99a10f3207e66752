"""The manifest itself: pieces in leaves by the hash of their name, and a Merkle tree above them.

On disk it is one Arrow IPC file, uncompressed, a record batch for each leaf, the tree in the schema's
metadata: it is memory-mapped, and comparing two reads the tree and only those leaves that differ.

=========  ======================  ====================================================
column     type                    meaning
=========  ======================  ====================================================
name       binary                  path (bytes, as the file system has it), key or key range, unique
size       int64                   bytes, or rows of a key range
digest     fixed_size_binary[16]   XXH3-128 of the bytes, or of what the store said of them
earlier    list of digests         contents that this name had before, newest first
version    string                  S3 version id, where there is one
checksum   string                  what the store itself keeps: ETag, and its checksum
=========  ======================  ====================================================

XXH3 is fast and not cryptographic: it finds accidents, not a forger.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from chaosday.errors import MalformedInput, UsageError
from chaosday.record.outputs import unwritable

DIGEST_BYTES = 16
PIECES_PER_LEAF = 256
FANOUT = 16
FORMAT = "chaosday-manifest-2"
READ_TOO = "chaosday-manifest-1"
"""The format in which a name was text, and every name therefore UTF-8."""
MOST_BITS = 40
EARLIER_KEPT = 8
SCHEMA = pa.schema(
    {
        "name": pa.binary(),
        "size": pa.int64(),
        "digest": pa.binary(DIGEST_BYTES),
        "earlier": pa.list_(pa.binary(DIGEST_BYTES)),
        "version": pa.string(),
        "checksum": pa.string(),
    }
)
_TYPES = {field.name: field.type for field in SCHEMA}


@dataclass(frozen=True)
class Piece:
    """One file, object or key range."""

    name: str
    size: int
    digest: bytes
    earlier: tuple[bytes, ...] = ()
    version: str = ""
    checksum: str = ""

    @property
    def entry(self) -> bytes:
        """What a leaf hashes of a piece: its name, its size and its content."""
        return xxhash.xxh3_128_digest(named_bytes(self.name) + b"\0%d\0" % self.size + self.digest)


@dataclass(frozen=True)
class Header:
    """What a manifest is of. ``unread`` names pieces that could not be read, with the reason; ``columns`` are
    those of a table, with their types; ``encrypted`` is the method by which a bucket encrypts what it is sent, where
    that makes an ETag no hash of the bytes.
    """

    medium: str
    source: str
    made_at: str
    digest_of: str = "bytes"
    cut: str = ""
    unread: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    encrypted: str = ""


class Manifest:
    """A manifest in memory or mapped from its file; immutable."""

    def __init__(self, header: Header, count: int, levels: list[NDArray[np.uint8]], leaves: Any) -> None:
        self.header = header
        self.count = count
        self.bits = (len(levels[0]) - 1).bit_length()
        self.levels = levels
        self._leaves = leaves

    @classmethod
    def build(cls, header: Header, pieces: Iterable[Piece]) -> Manifest:
        """Sort pieces into leaves and hash the tree above them."""
        listed = list(pieces)
        bits = max(0, math.ceil(math.log2(max(1, len(listed)) / PIECES_PER_LEAF)))
        leaves: list[list[Piece]] = [[] for _ in range(1 << bits)]
        for piece in listed:
            leaves[leaf_of(piece.name, bits)].append(piece)
        digests = []
        for leaf in leaves:
            leaf.sort(key=lambda piece: piece.name)
            digests.append(_leaf_digest(leaf))
        return cls(header, len(listed), _grow(digests), [_batch(leaf) for leaf in leaves])

    @property
    def root(self) -> str:
        """The hash of everything, as hexadecimal."""
        return bytes(self.levels[-1][0]).hex()

    def __len__(self) -> int:
        return self.count

    def leaf_table(self, number: int) -> pa.RecordBatch:
        """The pieces of one leaf; ``MalformedInput`` where the file holds something else in its place."""
        if isinstance(self._leaves, list):
            batch: pa.RecordBatch = self._leaves[number]
            return batch
        try:
            batch = self._leaves.get_batch(number)
            batch.validate(full=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise MalformedInput(f"the manifest is damaged: {str(error).splitlines()[0]}; make it again") from None
        return batch

    def leaf(self, number: int) -> dict[str, Piece]:
        """The pieces of one leaf, by name; ``MalformedInput`` where they do not hash to what the tree says."""
        listed = [_piece(row) for row in self.leaf_table(number).to_pylist()]
        pieces = {piece.name: piece for piece in listed}
        if len(pieces) < len(listed) or _leaf_digest(pieces.values()) != bytes(self.levels[0][number]):
            raise MalformedInput("the manifest is damaged: a leaf does not hash to its node; make it again")
        return pieces

    def find(self, name: str) -> Piece | None:
        """The piece of that name."""
        return self.leaf(leaf_of(name, self.bits)).get(name)

    def pieces(self) -> Iterable[Piece]:
        """Every piece, leaf by leaf."""
        for number in range(1 << self.bits):
            yield from self.leaf(number).values()

    def named_by_digest(self, digests: set[bytes]) -> dict[bytes, str]:
        """For each of these contents a piece that has it: one pass over the digests."""
        found: dict[bytes, str] = {}
        if not digests:
            return found
        wanted = pa.array(sorted(digests), pa.binary(DIGEST_BYTES))
        import pyarrow.compute as pc

        for number in range(1 << self.bits):
            batch = self.leaf_table(number)
            mask = pc.is_in(batch["digest"], value_set=wanted)
            if pc.any(mask).as_py():
                hits = batch.filter(mask)
                names = map(_name, hits["name"].to_pylist())
                found |= dict(zip(hits["digest"].to_pylist(), names, strict=True))
        return found

    def write(self, path: Path) -> None:
        """Write the file; it appears whole or not at all. ``EvidenceUnwritable`` where it cannot be."""
        metadata = {
            "format": FORMAT,
            # The standard library's writer, because a name that is no UTF-8 is no text to the other.
            "header": json.dumps(self.header.__dict__),
            "bits": str(self.bits),
            "count": str(self.count),
            "tree": b"".join(level.tobytes() for level in self.levels),
        }
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.writing")
        try:
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, SCHEMA.with_metadata(metadata)) as writer:
                for number in range(1 << self.bits):
                    writer.write_batch(self.leaf_table(number).cast(SCHEMA))
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise unwritable(path, error) from None

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Map a manifest; ``MalformedInput`` where it is none or its tree does not hash to its root."""
        if not path.is_file():
            raise UsageError(f"{path} is no regular file, and so no manifest")
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            said = reader.schema.metadata or {}
        except (OSError, pa.ArrowException, ValueError) as error:
            raise MalformedInput(f"{path} is not a manifest: {str(error).splitlines()[0]}") from None
        if said.get(b"format") not in {FORMAT.encode(), READ_TOO.encode()}:
            raise MalformedInput(f"{path} is not a manifest of this version")
        try:
            header, bits, count = Header(**json.loads(said[b"header"])), int(said[b"bits"]), int(said[b"count"])
            if not (0 <= bits <= MOST_BITS and reader.num_record_batches == 1 << bits and _of_types(header)):
                raise ValueError("its header says what it does not hold")
            columns = {name: reader.schema.field(name).type for name in SCHEMA.names}
            if columns not in ({**_TYPES, "name": pa.string()}, _TYPES):
                raise ValueError("its columns are others")
            levels = _split(said[b"tree"], 1 << bits)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise MalformedInput(f"{path} is damaged: {str(error)[:200]}; make it again") from None
        grown = _grow([bytes(leaf) for leaf in levels[0]])
        if not all(np.array_equal(one, other) for one, other in zip(levels, grown, strict=True)):
            raise MalformedInput(f"{path} is damaged: its tree does not hash to its root; make it again")
        return cls(header, count, levels, reader)


def leaf_of(name: str, bits: int) -> int:
    """The leaf of a name: the top bits of its hash, so that names come and go without moving others."""
    return xxhash.xxh3_64_intdigest(named_bytes(name)) >> (64 - bits) if bits else 0


def named_bytes(name: str) -> bytes:
    """A name as the file system has it."""
    return name.encode("utf-8", "surrogateescape")


def _name(stored: bytes | str) -> str:
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogateescape")


def _of_types(header: Header) -> bool:
    words = (header.medium, header.source, header.made_at, header.digest_of, header.cut, header.encrypted)
    tables = (header.unread, header.columns)
    return all(isinstance(word, str) for word in words) and all(
        isinstance(table, dict) and all(isinstance(value, str) for value in table.values()) for table in tables
    )


def _leaf_digest(pieces: Iterable[Piece]) -> bytes:
    return xxhash.xxh3_128_digest(b"".join(piece.entry for piece in pieces))


def _grow(digests: Sequence[bytes]) -> list[NDArray[np.uint8]]:
    levels = [np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)]
    while len(levels[-1]) > 1:
        below = levels[-1].tobytes()
        step = FANOUT * DIGEST_BYTES
        above = [xxhash.xxh3_128_digest(below[at : at + step]) for at in range(0, len(below), step)]
        levels.append(np.frombuffer(b"".join(above), np.uint8).reshape(-1, DIGEST_BYTES))
    return levels


def _split(tree: bytes, leaves: int) -> list[NDArray[np.uint8]]:
    whole = np.frombuffer(tree, np.uint8).reshape(-1, DIGEST_BYTES)
    levels, at, length = [], 0, leaves
    while True:
        levels.append(whole[at : at + length])
        if len(levels[-1]) < length:
            raise ValueError("its tree is cut off")
        at += length
        if length == 1:
            return levels
        length = -(-length // FANOUT)


def _batch(pieces: Sequence[Piece]) -> pa.RecordBatch:
    columns = [
        [named_bytes(p.name) for p in pieces],
        [p.size for p in pieces],
        [p.digest for p in pieces],
        [list(p.earlier) for p in pieces],
        [p.version for p in pieces],
        [p.checksum for p in pieces],
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA
    )


def _piece(row: dict[str, Any]) -> Piece:
    if any(value is None for value in row.values()):
        raise MalformedInput("the manifest is damaged: a piece lacks a value; make it again")
    return Piece(_name(row["name"]), row["size"], row["digest"], tuple(row["earlier"]), row["version"], row["checksum"])


def with_past(piece: Piece, previous: Manifest | None) -> Piece:
    """The piece with the contents that its name had before, so that a restored old one is known as stale."""
    before = previous.find(piece.name) if previous else None
    if before is None:
        return piece
    past = [before.digest, *before.earlier, *piece.earlier]
    kept = tuple(dict.fromkeys(digest for digest in past if digest != piece.digest))[:EARLIER_KEPT]
    return Piece(piece.name, piece.size, piece.digest, kept, piece.version, piece.checksum)
