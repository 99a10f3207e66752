"""A Delta table for each space, through delta-rs, as a Store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from chaosday.clients.lake.storage import delta_words, first_words
from chaosday.errors import ChaosdayError, TargetUnreachable
from chaosday.model.store import NoEffect, Options, Session, Unanswered
from chaosday.stores.lake import NOTHING, LakeSession, table_of

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable


class DeltaSession(LakeSession["DeltaTable"]):
    """One writer of a table in a folder."""

    def __init__(self, folder: Path, options: Options) -> None:
        super().__init__(options)
        self._folder = folder

    def _open(self) -> DeltaTable:
        from deltalake import DeltaTable

        try:
            with delta_words(str(self._folder)):
                return DeltaTable(self._folder)
        except ChaosdayError as error:
            raise NoEffect(str(error)) from None

    def _read(self, handle: DeltaTable) -> pa.Table:
        try:
            with delta_words(str(self._folder)):
                return handle.to_pyarrow_table()
        except ChaosdayError as error:
            raise NoEffect(str(error)) from None

    def _append(self, handle: DeltaTable, rows: pa.Table) -> None:
        self._write(handle, rows, "append")

    def _replace(self, handle: DeltaTable, rows: pa.Table) -> None:
        self._write(handle, rows, "overwrite")

    def _write(self, handle: DeltaTable, rows: pa.Table, mode: str) -> None:
        from deltalake import write_deltalake
        from deltalake.exceptions import CommitFailedError, DeltaError

        try:
            if mode == "append":
                write_deltalake(handle, rows, mode="append")
            else:
                write_deltalake(handle, rows, mode="overwrite")
        except CommitFailedError as error:
            raise NoEffect(first_words(error)) from None
        except (DeltaError, OSError) as error:
            raise Unanswered(first_words(error)) from None


class DeltaStore:
    """A table for each space in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, space: str, options: Options) -> None:
        """The table, where there is none."""
        from deltalake import DeltaTable, write_deltalake

        with delta_words(str(self._folder / space)):
            if not DeltaTable.is_deltatable(str(self._folder / space)):
                write_deltalake(self._folder / space, table_of(NOTHING))

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One reader and writer; delta-rs waits for a disk as long as that takes."""
        if not (self._folder / space).is_dir():
            raise TargetUnreachable(f"there is no table {self._folder / space}")
        return DeltaSession(self._folder / space, options)

    def drop(self, space: str) -> None:
        """The table's folder."""
        shutil.rmtree(self._folder / space, ignore_errors=True)
