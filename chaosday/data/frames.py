"""Rows of a file or a database as a DataFrame."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.data.connections.waiting import Patience
from chaosday.data.frame_types import of_rows, of_texts, typed
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import ident, tick
from chaosday.errors import CapabilityMissing, MalformedInput, TargetUnreachable, UsageError

if TYPE_CHECKING:
    import pandas as pd

_DIALECTS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}


def frame(side: Side, patience: Patience | None = None) -> pd.DataFrame:
    """All rows of a side (``Side.parse``), with the types that its store gives them, and no value changed by them.

    A column of a CSV, which has no types, is one of whole numbers, floats, booleans or times if every value of it is
    just such a value; otherwise it is text, as it is in the file.
    """
    if not side.rows_named:
        raise UsageError(f"say which rows of {side}: URL#TABLE or URL#SELECT ...")
    patience = patience or Patience()
    if side.engine == "file":
        return _of_files(side)
    if side.engine not in _DIALECTS:
        raise UsageError(f"{side.engine} is not read here; export it to Parquet first")
    return _of_database(side, patience)


def _of_files(side: Side) -> pd.DataFrame:
    import duckdb
    import pyarrow as pa

    from chaosday.data.reconcile.sources.files import FileSource
    from chaosday.data.reconcile.workspace import room

    source = FileSource(side, "data")
    try:
        with room():
            table = source.parts.table()
        if side.form == "parquet":
            return typed(table)
    except MalformedInput as error:
        raise MalformedInput(f"{side.path}: {error}") from None
    except (pa.ArrowException, OSError, ValueError, duckdb.Error) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise MalformedInput(f"{side.path} cannot be read as {side.form}: {said}") from None
    finally:
        source.close()
    import pandas as pd

    return pd.DataFrame({name: of_texts(table.column(name).to_pylist()) for name in table.column_names})


def _of_database(side: Side, patience: Patience) -> pd.DataFrame:
    try:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise CapabilityMissing("databases are read with SQLAlchemy: pip install 'chaosday[databases]'") from None
    quote = tick if side.engine == "mysql" else ident
    table = ".".join(quote(part) for part in side.table.split("."))
    query = side.query or f"select * from {table}"  # noqa: S608 - a table's name, quoted
    try:
        with _session(side, patience) as session:
            engine = sqlalchemy.create_engine(
                f"{_DIALECTS[side.engine]}://", creator=lambda: session, poolclass=sqlalchemy.pool.StaticPool
            )
            with engine.connect() as connection:
                # Sent as it is: a colon or a percent sign in a query is no parameter of ours.
                answer = connection.execute(sqlalchemy.text(query.replace("\\:", ":").replace(":", "\\:")))
                names, rows = list(answer.keys()), answer.fetchall()
    except SQLAlchemyError as error:
        # The whole of an error's text holds the statement, and may hold the URL with its password.
        said = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:200]
        raise TargetUnreachable(f"{side} cannot be read: {said}") from None
    return of_rows(names, rows)


@contextlib.contextmanager
def _session(side: Side, patience: Patience) -> Iterator[Any]:
    """A connection that only reads, and that ends."""
    if side.engine == "sqlite":
        from chaosday.data.connections import sqlite

        path = Path(side.file_path)
        if not path.is_file():
            raise TargetUnreachable(f"there is no file {path}")
        lite = sqlite.Session(path, "data", patience)
        try:
            yield lite.connection
        finally:
            lite.connection.close()
        return
    from chaosday.data.connections import mysql, postgresql

    session: Any
    if side.engine == "mysql":
        session = mysql.Session(side.url, "data", patience, native=True)
    else:
        session = postgresql.Session(side.url, "data", patience)
        if side.query:
            session.single(side.query)
    try:
        with session.errors():
            yield session.connection
    finally:
        session.close()
