"""An Iceberg table for each space in a SQLite catalogue of a folder, through pyiceberg, as a Store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.clients.lake.storage import first_words, iceberg_words
from chaosday.errors import ChaosdayError, TargetUnreachable
from chaosday.model.store import NoEffect, Options, Session, Unanswered
from chaosday.stores.lake import NOTHING, LakeSession, table_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

NAMESPACE = "chaosday"
CATALOGUE = "catalog.db"


class IcebergSession(LakeSession["Table"]):
    """One writer with a connection of its own to the catalogue. pyiceberg itself tries a commit again where another
    came first, and checks on the way that it does not undo the other."""

    def __init__(self, catalogue: Catalog, name: str, options: Options) -> None:
        super().__init__(options)
        self._catalogue, self._name = catalogue, name

    def _open(self) -> Table:
        try:
            with iceberg_words(self._name):
                return self._catalogue.load_table(self._name)
        except ChaosdayError as error:
            raise NoEffect(str(error)) from None

    def _read(self, handle: Table) -> pa.Table:
        try:
            with iceberg_words(self._name):
                return handle.scan().to_arrow()
        except ChaosdayError as error:
            raise NoEffect(str(error)) from None

    def _append(self, handle: Table, rows: pa.Table) -> None:
        self._commit(handle.append, rows)

    def _replace(self, handle: Table, rows: pa.Table) -> None:
        self._commit(handle.overwrite, rows)

    def _commit(self, act: Any, rows: pa.Table) -> None:
        import sqlalchemy.exc
        from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, ValidationException

        try:
            act(rows)
        except (CommitFailedException, ValidationException) as error:
            raise NoEffect(first_words(error)) from None
        except (CommitStateUnknownException, sqlalchemy.exc.SQLAlchemyError, OSError, ValueError) as error:
            raise Unanswered(first_words(error)) from None

    def close(self) -> None:
        """Let go of the catalogue."""
        self._catalogue.close()


class IcebergStore:
    """A table for each space, its catalogue a SQLite file beside the data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, space: str, options: Options) -> None:
        """The catalogue and the table, where there are none."""
        catalogue = self._catalogue()
        with iceberg_words(space):
            catalogue.create_namespace_if_not_exists(NAMESPACE)
            if not catalogue.table_exists(f"{NAMESPACE}.{space}"):
                catalogue.create_table(f"{NAMESPACE}.{space}", table_of(NOTHING).schema).append(table_of(NOTHING))
        catalogue.close()

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One reader and writer."""
        if not (self._folder / CATALOGUE).is_file():
            raise TargetUnreachable(f"there is no catalogue {self._folder / CATALOGUE}")
        return IcebergSession(self._catalogue(), f"{NAMESPACE}.{space}", options)

    def drop(self, space: str) -> None:
        """The table and its folder; the catalogue stays."""
        if not (self._folder / CATALOGUE).is_file():
            return
        catalogue = self._catalogue()
        with iceberg_words(space):
            if catalogue.table_exists(f"{NAMESPACE}.{space}"):
                catalogue.drop_table(f"{NAMESPACE}.{space}")
        catalogue.close()
        shutil.rmtree(self._folder / NAMESPACE / space, ignore_errors=True)

    def _catalogue(self) -> Catalog:
        from pyiceberg.catalog import load_catalog

        if not self._folder.is_dir():
            raise TargetUnreachable(f"{self._folder} is not a directory")
        with iceberg_words(str(self._folder)):
            place = str(self._folder.absolute())
            return load_catalog(
                "chaosday", type="sql", uri=f"sqlite:///{place}/{CATALOGUE}", warehouse=f"file://{place}"
            )
