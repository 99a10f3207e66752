"""Rows of text streamed out of PostgreSQL, cut into files of a known number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from chaosday.data.reconcile.sql import literal, statement

LEAST_BUFFER_BYTES = 1 << 20


class RowsMissing(Exception):
    """The stream ended before the rows that were counted: the index and the table disagree."""


class TextRows:
    """CSV from COPY: an unquoted nothing is NULL, a quoted one is ''.

    The server sends one message a row, so that rows can be counted without parsing them.
    """

    def __init__(self, pieces: Iterator[bytes], names: Sequence[str], path: Path) -> None:
        self.names = list(names)
        self.pieces = pieces
        self.path = path

    def take(self, count: int) -> str:
        """The next ``count`` rows as a relation for DuckDB; ``RowsMissing`` if there are fewer."""
        longest = 0
        with self.path.open("wb") as file:
            for _ in range(count):
                piece = next(self.pieces, None)
                if piece is None:
                    raise RowsMissing
                longest = max(longest, len(piece))
                file.write(piece)
        return csv_relation(self.path, self.names, longest) if count else nothing(self.names)

    def finished(self) -> bool:
        """Whether nothing is left."""
        return next(self.pieces, None) is None

    def drain(self) -> None:
        """Read what is left and drop it: breaking off a COPY would end the snapshot with it."""
        for _ in self.pieces:
            pass


def csv_relation(path: Path, names: Sequence[str], longest_bytes: int) -> str:
    """A CSV file without header, every field quoted but NULL, as a relation of texts."""
    line = max(LEAST_BUFFER_BYTES, 2 * longest_bytes)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return statement(
        "read_csv({path}, columns = {{{columns}}}, header = false, delim = ',', quote = '\"', escape = '\"',"
        " nullstr = '', allow_quoted_nulls = false, auto_detect = false, parallel = false, new_line = '\\n',"
        " strict_mode = true, max_line_size = {line}, buffer_size = {buffer})",
        path=literal(str(path)),
        columns=columns,
        line=line,
        buffer=2 * line,
    )


def nothing(names: Sequence[str]) -> str:
    """A relation of texts without a row."""
    return "(select " + ", ".join(f"null::varchar as {name}" for name in names) + " where false)"
