"""Catalogues of Iceberg tables, opened for reading: nothing is made where there is none.

======================================  ==========================================================================
address                                 catalogue
======================================  ==========================================================================
``iceberg://NAME``                      the one called so in pyiceberg's own configuration, its secrets among it
``iceberg+sqlite://FILE``               an SQL catalogue in a SQLite file
``iceberg+http://HOST:PORT`` (https)    a REST catalogue
``iceberg://FOLDER/x.metadata.json``    none: the table as one metadata file has it
======================================  ==========================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chaosday.clients.lake.bounds import Confined, only_its_own
from chaosday.clients.lake.storage import iceberg_properties
from chaosday.errors import TargetUnreachable, UsageError

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

METADATA = ".metadata.json"


def load(address: str, table: str) -> Table:
    """The table that an address names."""
    scheme, _, rest = address.partition("://")
    if rest.endswith(METADATA):
        return _of_file(rest)
    if table.count(".") < 1:
        raise UsageError(f"an Iceberg table is called NAMESPACE.TABLE, not {table!r}")
    return catalogue(scheme, rest, table).load_table(table)


def _of_file(place: str) -> Table:
    """As pyiceberg's ``StaticTable.from_metadata``, but the table's own properties do not say how files are opened."""
    from pyiceberg.catalog.noop import NoopCatalog
    from pyiceberg.io import load_file_io
    from pyiceberg.serializers import FromInputFile
    from pyiceberg.table import StaticTable

    if not place.startswith("s3://") and not Path(place).is_file():
        raise TargetUnreachable(f"there is no file {place}")
    io = load_file_io(iceberg_properties(), place)
    Confined(place, place).small(place, io)
    metadata = FromInputFile.table_metadata(io.new_input(place))
    return StaticTable(("static-table", place), metadata, place, io, NoopCatalog("static-table"))


def catalogue(scheme: str, rest: str, table: str = "") -> Catalog:
    """The catalogue that an address names, read-only where it is a file."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.io import load_file_io

    how = scheme.partition("+")[2]
    storage = iceberg_properties()
    if how == "sqlite":
        path = Path(rest).absolute()
        if not path.is_file():
            raise TargetUnreachable(f"there is no catalogue {path}")
        # SQLAlchemy would make the file, and pyiceberg its tables.
        name, metadata = _called(path, table)
        if metadata:
            Confined(metadata, table).small(metadata, load_file_io(storage, metadata))
        uri = f"sqlite:///file:{str(path).replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode=ro&uri=true"
        return only_its_own(load_catalog(name, type="sql", uri=uri, init_catalog_tables="false", **storage))
    if how in {"http", "https"}:
        if "@" in rest:
            raise UsageError("an account of a REST catalogue stands in pyiceberg's configuration, not in the address")
        return only_its_own(load_catalog("lake", type="rest", uri=f"{how}://{rest}", **storage))
    if how:
        raise UsageError(f"no Iceberg catalogue of the kind {how!r}; there are sqlite, http, https and names")
    return only_its_own(load_catalog(rest))


def _called(path: Path, table: str) -> tuple[str, str]:
    """The name under which a file's catalogue keeps the table, for which pyiceberg asks, and where its metadata is."""
    import sqlite3

    namespace, _, name = table.rpartition(".")
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        asked = "select catalog_name, metadata_location from iceberg_tables"
        asked += " where table_namespace = ? and table_name = ?"
        found = {str(row[0]): str(row[1] or "") for row in connection.execute(asked, (namespace, name))}
    except sqlite3.Error as error:
        raise TargetUnreachable(f"the catalogue cannot be read: {path.name}: {error}") from None
    finally:
        connection.close()
    if len(found) > 1:
        several = ", ".join(sorted(found))
        raise UsageError(f"{path.name} has {table} in the catalogues {several}: name one in pyiceberg's configuration")
    return next(iter(found.items()), ("lake", ""))
