"""Rows of a file or a database as a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosday.data.reconcile.sides import Side
from chaosday.errors import CapabilityMissing, MalformedInput, TargetUnreachable, UsageError

if TYPE_CHECKING:
    import pandas as pd

_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}


def frame(side: Side) -> pd.DataFrame:
    """All rows of a side (``Side.parse``), with the types that its store gives them."""
    if not side.rows_named:
        raise UsageError(f"say which rows of {side}: URL#TABLE or URL#SELECT ...")
    if side.engine == "file":
        return _of_files(side)
    if side.engine not in _DRIVERS:
        raise UsageError(f"{side.engine} is not read here; export it to Parquet first")
    return _of_database(side)


def _of_files(side: Side) -> pd.DataFrame:
    import duckdb

    reader = "read_parquet" if side.form == "parquet" else "read_csv"
    try:
        with duckdb.connect() as database:
            return database.execute(f"select * from {reader}(?)", [side.path]).df()  # noqa: S608 - one of two names
    except duckdb.IOException:
        raise TargetUnreachable(f"there is no file {side.path}") from None
    except duckdb.Error as error:
        raise MalformedInput(f"{side.path} cannot be read as {side.form}: {str(error).splitlines()[0]}") from None


def _of_database(side: Side) -> pd.DataFrame:
    import pandas as pd

    try:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise CapabilityMissing("databases are read with SQLAlchemy: pip install 'chaosday[databases]'") from None
    scheme, _, rest = side.url.partition("://")
    quoted = ".".join(f'"{part}"' if scheme != "mysql" else f"`{part}`" for part in side.table.split("."))
    query = side.query or f"select * from {quoted}"  # noqa: S608 - a table's name, quoted
    try:
        engine = sqlalchemy.create_engine(f"{_DRIVERS[scheme]}://{rest}")
        with engine.connect() as connection:
            return pd.read_sql(sqlalchemy.text(query), connection)
    except SQLAlchemyError as error:
        # The whole of an error's text holds the statement, and may hold the URL with its password.
        said = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:200]
        raise TargetUnreachable(f"{side} cannot be read: {said}") from None
