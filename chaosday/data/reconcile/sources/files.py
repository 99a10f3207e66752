"""Rows of Parquet and CSV files, read where they are."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from chaosday.data.reconcile.kinds import Field, duckdb_kind
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import listed, literal, statement
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import MalformedInput, TargetUnreachable


class FileSource:
    """A path or glob; the files' names, sizes and times before and after tell whether they changed."""

    def __init__(self, side: Side, label: str) -> None:
        self.label = label
        self.notes: list[str] = []
        self.side = side
        self.seen = self._stat()
        if not self.seen:
            raise TargetUnreachable(f"the {label} side has no file {side.path}")
        self.paths = [Path(path) for path in self.seen]
        self.fields = described(self.paths, side.form, label)

    def stage(self, workspace: Workspace) -> str:
        return relation(self.paths, self.side.form)

    def changed(self) -> bool:
        return self._stat() != self.seen

    def close(self) -> None:
        """Nothing is held open."""

    def _stat(self) -> dict[str, tuple[int, int, int]]:
        found = {}
        for path in sorted(glob.glob(self.side.path, recursive=True)) or [self.side.path]:  # noqa: PTH207 - absolute globs
            if Path(path).is_file():
                stat = Path(path).stat()
                found[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        return found


def relation(paths: Sequence[Path], form: str) -> str:
    """The files as one relation; CSV values are texts, an unquoted nothing is NULL."""
    listing = listed(literal(str(path)) for path in paths)
    if form == "parquet":
        return f"read_parquet([{listing}], union_by_name = true, hive_partitioning = false)"
    return (
        f"read_csv([{listing}], all_varchar = true, header = true, nullstr = '', allow_quoted_nulls = false,"
        " union_by_name = true, hive_partitioning = false)"
    )


def described(paths: Sequence[Path], form: str, label: str) -> list[Field]:
    """The columns of the files; ``MalformedInput`` where they are not what their names say."""
    import duckdb

    with duckdb.connect() as database:
        try:
            rows = database.execute(statement("describe select * from {r}", r=relation(paths, form))).fetchall()
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise MalformedInput(f"the {label} side cannot be read as {form}: {said}") from None
    return [Field(row[0], duckdb_kind(row[1]), row[1], "text" if form == "csv" else "native") for row in rows]
