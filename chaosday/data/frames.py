"""Rows of a file or a database as a DataFrame."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import ident, literal, statement, tick
from chaosday.errors import CapabilityMissing, MalformedInput, TargetUnreachable, UsageError

if TYPE_CHECKING:
    import pandas as pd

_DIALECTS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}


def frame(side: Side) -> pd.DataFrame:
    """All rows of a side (``Side.parse``), with the types that its store gives them."""
    if not side.rows_named:
        raise UsageError(f"say which rows of {side}: URL#TABLE or URL#SELECT ...")
    if side.engine == "file":
        return _of_files(side)
    if side.engine not in _DIALECTS:
        raise UsageError(f"{side.engine} is not read here; export it to Parquet first")
    return _of_database(side)


def _of_files(side: Side) -> pd.DataFrame:
    import duckdb

    # A name that a file has is that file, whatever brackets are in it; a FIFO is none, and would be waited for.
    paths = [side.path] if Path(side.path).is_file() else [path for path in side.files if Path(path).is_file()]
    if not paths:
        raise TargetUnreachable(f"there is no file {side.path}")
    reader = "read_parquet" if side.form == "parquet" else "read_csv"
    listed = ", ".join(literal(_unglobbed(path)) for path in sorted(set(paths)))
    try:
        with duckdb.connect() as database:
            return database.execute(statement("select * from {reader}([{listed}])", reader=reader, listed=listed)).df()
    except duckdb.Error as error:
        raise MalformedInput(f"{side.path} cannot be read as {side.form}: {str(error).splitlines()[0]}") from None


def _unglobbed(path: str) -> str:
    """A path in which DuckDB takes no character for a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


def _of_database(side: Side) -> pd.DataFrame:
    import pandas as pd

    try:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise CapabilityMissing("databases are read with SQLAlchemy: pip install 'chaosday[databases]'") from None
    quote = tick if side.engine == "mysql" else ident
    table = ".".join(quote(part) for part in side.table.split("."))
    query = side.query or f"select * from {table}"  # noqa: S608 - a table's name, quoted
    try:
        with _session(side) as session:
            engine = sqlalchemy.create_engine(
                f"{_DIALECTS[side.engine]}://", creator=lambda: session, poolclass=sqlalchemy.pool.StaticPool
            )
            with engine.connect() as connection:
                # Sent as it is: a colon or a percent sign in a query is no parameter of ours.
                return pd.read_sql(sqlalchemy.text(query.replace("\\:", ":").replace(":", "\\:")), connection)
    except SQLAlchemyError as error:
        # The whole of an error's text holds the statement, and may hold the URL with its password.
        said = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:200]
        raise TargetUnreachable(f"{side} cannot be read: {said}") from None


@contextlib.contextmanager
def _session(side: Side) -> Iterator[Any]:
    """A connection that only reads, and that ends."""
    if side.engine == "sqlite":
        from chaosday.data.connections import sqlite

        path = Path(side.file_path)
        if not path.is_file():
            raise TargetUnreachable(f"there is no file {path}")
        lite = sqlite.Session(path, "data", Patience())
        try:
            yield lite.connection
        finally:
            lite.connection.close()
        return
    from chaosday.data.connections import mysql, postgresql

    session: Any
    if side.engine == "mysql":
        session = mysql.Session(side.url, "data", native=True)
    else:
        session = postgresql.Session(side.url, "data")
        if side.query:
            session.single(side.query)
    try:
        with session.errors():
            yield session.connection
    finally:
        session.close()
