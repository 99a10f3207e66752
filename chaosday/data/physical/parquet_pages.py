"""Page checksums of Parquet files: are they there, and do they hold?

Arrow writes them only when asked (``write_page_checksum=True``) and verifies them only when asked, and
its metadata does not say whether they are there. So the page headers are read here, a Thrift struct in
the compact protocol (parquet-format, ``PageHeader``; ``crc`` is field 4, the CRC-32 of the page as it is
stored, without its header), and each page is named by row group, column and number.
"""

from __future__ import annotations

import glob
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from chaosday.errors import TargetUnreachable

HEADER_BYTES = 1 << 16
BAD_SHOWN = 1000
_FIXED_BYTES = {1: 0, 2: 0, 3: 1, 7: 8}


@dataclass(frozen=True)
class Page:
    """One page: where it is, how long it is as stored, and its checksum if it has one."""

    row_group: int
    column: str
    number: int
    offset: int
    length: int
    crc: int | None


class BadHeader(Exception):
    """Bytes that are no page header."""


def observe_parquet(pattern: str) -> dict[str, Any]:
    """Read every page of the files that a path or glob names, and check what can be checked.

    Gives ``version`` and for each of ``files``: ``path``, ``pages``, ``protected`` (pages with a
    checksum), ``bad`` (pages whose bytes are not what they were) and ``error`` (why it cannot be read).
    """
    import pyarrow

    paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute globs
    if not paths:
        raise TargetUnreachable(f"there is no file {pattern}")
    return {"tool": "pyarrow", "version": pyarrow.__version__, "files": [_file(Path(path)) for path in paths]}


def _file(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    said: dict[str, Any] = {"path": path.name, "pages": 0, "protected": 0, "bad": [], "error": "", "unsupported": ""}
    try:
        metadata = pq.read_metadata(path)
        with path.open("rb") as file:
            for page in _pages(file, metadata):
                said["pages"] += 1
                said["protected"] += page.crc is not None
                file.seek(page.offset)
                if page.crc is not None and zlib.crc32(file.read(page.length)) != page.crc:
                    said["bad"].append(
                        f"{path.name} row group {page.row_group} column {page.column} page {page.number}"
                    )
        # What has no checksum has at least to decode; what has one is verified by Arrow a second time.
        with pq.ParquetFile(path, page_checksum_verification=True) as whole:
            for _ in whole.iter_batches():
                pass
    except pa.ArrowNotImplementedError as error:
        said["unsupported"] = str(error).splitlines()[0]
    except BadHeader as error:
        said["error"] = str(error)
    except (pa.ArrowException, OSError, ValueError) as error:
        if not said["bad"]:
            said["error"] = str(error).splitlines()[0]
    said["bad"] = said["bad"][:BAD_SHOWN]
    return said


def _pages(file: BinaryIO, metadata: Any) -> Iterator[Page]:
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            start = chunk.data_page_offset
            if chunk.has_dictionary_page and chunk.dictionary_page_offset:
                start = min(start, chunk.dictionary_page_offset)
            yield from _chunk(file, group, chunk.path_in_schema, start, start + chunk.total_compressed_size)


def _chunk(file: BinaryIO, group: int, column: str, at: int, end: int) -> Iterator[Page]:
    number = 0
    while at < end:
        file.seek(at)
        where = f"row group {group} column {column} page {number}"
        try:
            fields, length = read_header(file.read(HEADER_BYTES))
        except (IndexError, BadHeader):
            raise BadHeader(f"{where}: its header cannot be read") from None
        size = fields.get(3, -1)
        if size < 0 or at + length + size > end:
            raise BadHeader(f"{where}: its header gives an impossible length")
        crc = fields.get(4)
        yield Page(group, column, number, at + length, size, None if crc is None else crc & 0xFFFFFFFF)
        at += length + size
        number += 1


def read_header(data: bytes) -> tuple[dict[int, int], int]:
    """The whole-number fields of a Thrift compact struct by their id, and the length of the struct."""
    fields: dict[int, int] = {}
    at, field = 0, 0
    while True:
        kind = data[at] & 0x0F
        delta = data[at] >> 4
        at += 1
        if kind == 0:
            return fields, at
        if delta:
            field += delta
        else:
            encoded, at = _varint(data, at)
            field = _zigzag(encoded)
        if kind in {4, 5, 6}:
            encoded, at = _varint(data, at)
            fields[field] = _zigzag(encoded)
        else:
            at = _skip(data, at, kind)


def _skip(data: bytes, at: int, kind: int) -> int:
    """The position after a value: booleans live in their header, the rest in the bytes that follow."""
    if kind in _FIXED_BYTES:
        return at + _FIXED_BYTES[kind]
    if kind in {4, 5, 6}:
        return _varint(data, at)[1]
    if kind == 8:
        length, at = _varint(data, at)
        return at + length
    if kind in {9, 10}:
        size, inner = data[at] >> 4, data[at] & 0x0F
        at += 1
        if size == 15:
            size, at = _varint(data, at)
        for _ in range(size):
            at = at + 1 if inner in {1, 2} else _skip(data, at, inner)
        return at
    if kind == 12:
        return at + read_header(data[at:])[1]
    raise BadHeader


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise BadHeader


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
