"""What a CSV file is, to its last byte, before anybody reads rows out of it.

Readers guess a dialect from the first rows and drop, pad or glue what contradicts it later. Here the
header decides (its delimiter and its width), and every record has to agree: the number of records that
this pass counts is the number of rows that the reader has to give.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from chaosday.data.reconcile.sql import literal
from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_BYTES = 1 << 23
_MOST_HEADER_BYTES = 1 << 24
_QUOTE, _LINE_FEED, _RETURN = 34, 10, 13
_LEAST_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class CsvShape:
    """The names in a file's header, its dialect, and how many records follow."""

    names: tuple[str, ...]
    delimiter: str
    line_end: str
    records: int
    blank_lines: int
    longest_bytes: int
    broken_lines: bool

    @property
    def reader_options(self) -> str:
        """How DuckDB has to read such a file; nothing is left for it to guess."""
        columns = ", ".join(f"'f{number}': 'VARCHAR'" for number in range(len(self.names)))
        # Told of CRLF in strict mode, DuckDB 2.0 gives no rows at all; left to see for itself, it gives them.
        line_end = " new_line = '\\n'," if self.line_end == "\\n" else ""
        line = max(_LEAST_BUFFER_BYTES, 2 * self.longest_bytes)
        return (
            f"columns = {{{columns}}}, header = true, delim = {literal(self.delimiter)}, quote = '\"', escape = '\"',"
            " comment = '', nullstr = '', allow_quoted_nulls = false, auto_detect = false, strict_mode = true,"
            f" null_padding = false, parallel = {not self.broken_lines},{line_end}"
            f" hive_partitioning = false, max_line_size = {line}, buffer_size = {2 * line}"
        )


def examine(path: Path, shown: str) -> CsvShape:
    """Read a file once; ``MalformedInput`` names the line where it stops being what its header says."""
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            header, line_end = _header(file, shown)
            delimiter = _delimiter(header, path)
            names = next(csv.reader([header.replace("\r\n", "\n")], delimiter=delimiter, strict=True), [])
            file.seek(0)
            scan = _Scan(shown, ord(delimiter), len(names), line_end)
            for chunk in _chunks(file):
                scan.take(chunk)
            scan.end()
    except (csv.Error, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise MalformedInput(f"{shown} cannot be read as csv: {error}") from None
    return CsvShape(tuple(names), delimiter, line_end, scan.records - 1, scan.blank, scan.longest, scan.broken)


def _chunks(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    first = file.read(_CHUNK_BYTES).removeprefix(b"\xef\xbb\xbf")
    yield first
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _header(file: BinaryIO | gzip.GzipFile, shown: str) -> tuple[str, str]:
    """The first record without its end, and how it ends."""
    start = file.read(_MOST_HEADER_BYTES).removeprefix(b"\xef\xbb\xbf")
    data = np.frombuffer(start, np.uint8)
    inside = np.cumsum(data == _QUOTE) & 1
    ends = np.flatnonzero((data == _LINE_FEED) & (inside == 0))
    header = start[: ends[0]] if ends.size else start
    if not header.strip():
        raise MalformedInput(f"{shown} cannot be read as csv: it has no header")
    crlf = header.endswith(b"\r") and bool(ends.size)
    return header.removesuffix(b"\r").decode(), "\\r\\n" if crlf else "\\n"


def _delimiter(header: str, path: Path) -> str:
    if ".tsv" in path.suffixes[-2:]:
        return "\t"
    bare = "".join(header.split('"')[::2])
    return next((mark for mark in ",\t;|" if mark in bare), ",")


class _Scan:
    """Counts records, and stops at the first that is not one."""

    def __init__(self, shown: str, delimiter: int, width: int, line_end: str) -> None:
        self.shown, self.delimiter, self.width = shown, delimiter, width
        self.crlf = line_end == "\\r\\n"
        self.records = self.blank = self.longest = 0
        self.broken = False
        # What the next chunk has to know: inside quotes, the byte before, and the record so far.
        self.inside, self.before = 0, _LINE_FEED
        self.length = self.delimiters = 0
        self.encoding = codecs.getincrementaldecoder("utf-8")()

    def take(self, chunk: bytes) -> None:
        data = np.frombuffer(chunk, np.uint8)
        if not data.size:
            return
        self._refuse_other_encodings(chunk)
        before = np.concatenate((np.array([self.before], np.uint8), data[:-1]))
        quotes = data == _QUOTE
        inside = (np.cumsum(quotes, dtype=np.int64) + self.inside) & 1
        outside = (inside ^ quotes) == 0
        feeds = (data == _LINE_FEED) & outside
        self._refuse_quotes(data, before, quotes, outside, feeds)
        if not self.broken:
            self.broken = bool(((data == _LINE_FEED) & ~outside).any())
        self._count((data == self.delimiter) & outside, np.flatnonzero(feeds), data.size)
        self.inside, self.before = int(inside[-1]), int(data[-1])

    def _refuse_other_encodings(self, chunk: bytes, *, final: bool = False) -> None:
        try:
            self.encoding.decode(chunk, final)
        except UnicodeDecodeError as error:
            line = self.records + self.blank + 1 + chunk[: error.start].count(b"\n")
            raise MalformedInput(f"{self.shown} cannot be read as csv: record {line} is not UTF-8") from None

    def _refuse_quotes(
        self, data: NDArray[np.uint8], before: NDArray[np.uint8], quotes: NDArray[np.bool_],
        outside: NDArray[np.bool_], feeds: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        edge = (before == self.delimiter) | (before == _LINE_FEED) | (before == _QUOTE)
        self._refuse(quotes & outside & ~edge, feeds, "has a quote inside a field that does not begin with one")
        follows = (data == self.delimiter) | (data == _LINE_FEED) | (data == _RETURN) | quotes
        self._refuse(outside & (before == _QUOTE) & ~follows, feeds, "goes on after a closing quote")
        lone = outside & (before == _RETURN) & (data != _LINE_FEED)
        self._refuse(lone & (self.crlf | ~quotes), feeds, "has a carriage return without a line feed")
        returned = feeds & (before == _RETURN)
        self._refuse(returned != feeds if self.crlf else returned, feeds, "ends otherwise than the header does")

    def _refuse(self, wrong: NDArray[np.bool_], feeds: NDArray[np.bool_], words: str) -> None:
        at = int(np.argmax(wrong))
        if wrong[at]:
            line = self.records + self.blank + 1 + int(np.count_nonzero(feeds[:at]))
            raise MalformedInput(f"{self.shown} cannot be read as csv: record {line} {words}")

    def _count(self, delimiters: NDArray[np.bool_], ends: NDArray[np.int64], size: int) -> None:
        counted = np.cumsum(delimiters, dtype=np.int64)
        at_ends = counted[ends]
        widths = np.diff(at_ends, prepend=-self.delimiters)
        lengths = np.diff(ends, prepend=-1 - self.length)
        empty = lengths <= (2 if self.crlf else 1)
        wrong = (widths != self.width - 1) & ~(empty & (self.width > 1))
        if wrong.any():
            self._wrong_width(int(np.argmax(wrong)), int(widths[np.argmax(wrong)]))
        blank = int(np.count_nonzero(empty)) if self.width > 1 else 0
        self.blank += blank
        self.records += len(ends) - blank
        if ends.size:
            self.longest = max(self.longest, int(lengths.max()))
            self.length = size - 1 - int(ends[-1])
            self.delimiters = int(counted[-1] - at_ends[-1])
        else:
            self.length += size
            self.delimiters += int(counted[-1])

    def _wrong_width(self, number: int, delimiters: int) -> None:
        line = self.records + self.blank + 1 + number
        raise MalformedInput(
            f"{self.shown} cannot be read as csv: record {line} has {delimiters + 1} fields,"
            f" the header has {self.width}"
        )

    def end(self) -> None:
        self._refuse_other_encodings(b"", final=True)
        if self.inside:
            raise MalformedInput(f"{self.shown} cannot be read as csv: it ends inside quotes")
        self.longest = max(self.longest, self.length)
        if self.length:
            if self.delimiters != self.width - 1:
                self._wrong_width(0, self.delimiters)
            self.records += 1
