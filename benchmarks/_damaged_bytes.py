"""Damage to bytes: pages of a real PostgreSQL cluster, and files of three formats beside their own readers."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks._tally import of_store, tally, violated
from chaosday.checks.amcheck import Amcheck
from chaosday.checks.pg_checksums import PgChecksums
from chaosday.checks.replica_rows import ReplicaRows
from chaosday.judging.simulated_table import simulate_table
from chaosday.mechanisms.hosts.postgres_tools import (
    PAGE_BYTES,
    SLICE_PAGES,
    disposable_copy,
    observe_amcheck,
    observe_checksums,
    relation_path,
    slice_pages,
)
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.record.files import files_table
from tests.mechanisms.hosts.cluster import TABLE, Cluster, sql

NOWHERE = Path("/nonexistent")


def pages(server: Cluster, repetitions: int) -> dict[str, Any]:
    """Damage to real pages: pg_checksums on them, and pg_amcheck on a server that was started on them."""
    path = relation_path(server.tools, server.server, TABLE)
    copy = disposable_copy(server.tools, server.server, server.scratch / "pages")
    said = observe_checksums(server.tools, copy, relation=path)
    evidence = Evidence(NOWHERE).replaced(observations={"pg_checksums": said})

    def amcheck(planted: Planted) -> bool:
        pages = slice_pages(planted.evidence.observation("pg_checksums")) or b""
        with _restarted(server, server.data / path, pages):
            observed = observe_amcheck(server.tools, server.server, [TABLE])
        return violated([Amcheck()], Evidence(NOWHERE).replaced(observations={"amcheck": observed}))

    before = _rows_of(server)
    read_back = ReplicaRows(store="rows", replica="rows.now")

    def caught(planted: Planted) -> bool:
        """By pg_checksums, or by the rows that a server gives which was started on these pages."""
        if violated([PgChecksums()], planted.evidence):
            return True
        pages = slice_pages(planted.evidence.observation("pg_checksums")) or b""
        with _restarted(server, server.data / path, pages):
            rows = {"rows": before, "rows.now": _rows_of(server)}
        return violated([read_back], Evidence(NOWHERE).replaced(rows=rows))

    judges = {"caught": caught, "amcheck": amcheck}
    counted = tally(of_store("postgresql_pages"), evidence, judges, repetitions)
    return {**counted, "expectations": None, "reladiff": None}


def files(repetitions: int) -> dict[str, Any]:
    """Damage to files: digests beside what the formats' own readers say (``readers``)."""
    contents = _sample()
    evidence = Evidence(NOWHERE).replaced(
        rows={"files": files_table(contents, keep=False), "files.now": files_table(contents, keep=True)}
    )
    check = ReplicaRows(store="files", replica="files.now", key="path", ignore=["content"])
    judges: dict[str, Callable[[Planted], bool]] = {
        "caught": lambda planted: violated([check], planted.evidence),
        "readers": lambda planted: _readers_complain(planted.evidence.rows("files.now"), contents),
    }
    counted = tally(of_store("files"), evidence, judges, repetitions)
    return {**counted, "expectations": None, "amcheck": None, "reladiff": None}


def _sample() -> dict[str, bytes]:
    """Two of each: a Parquet file as pyarrow writes it, a SQLite database, a CSV."""
    contents = {}
    with tempfile.TemporaryDirectory(prefix="chaosday-files-") as folder:
        for number in (1, 2):
            table = simulate_table(500, seed=number)
            path = Path(folder) / f"{number}"
            pq.write_table(table, path)
            contents[f"{number}.parquet"] = path.read_bytes()
            csv.write_csv(table, path)
            contents[f"{number}.csv"] = path.read_bytes()
            path = Path(folder) / f"{number}.sqlite"
            with closing(sqlite3.connect(path)) as database, database:
                database.execute("create table orders (id integer primary key, name text, pieces integer)")
                rows = zip(*(table[name].to_pylist() for name in ("id", "name", "pieces")), strict=True)
                database.executemany("insert into orders values (?, ?, ?)", list(rows))
            contents[path.name] = path.read_bytes()
    return contents


def _readers_complain(now: pa.Table, before: dict[str, bytes]) -> bool:
    """Whether reading a changed file fails, or gives another number of rows; a missing one is a failure."""
    held = dict(zip(now["path"].to_pylist(), now["content"].to_pylist(), strict=True))
    changed = {path for path, content in before.items() if held.get(path) != content}
    return any(path not in held or _rows_read(path, held[path]) != 500 for path in changed)


def _rows_read(path: str, content: bytes) -> int | None:
    """How many rows the format's own reader gets out of a file, None where it complains."""
    try:
        if path.endswith(".parquet"):
            return int(pq.read_table(pa.BufferReader(content)).num_rows)
        if path.endswith(".csv"):
            return int(csv.read_csv(pa.BufferReader(content)).num_rows)
        with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
            Path(file.name).write_bytes(content)
            with closing(sqlite3.connect(file.name)) as database:
                if database.execute("pragma integrity_check").fetchall() != [("ok",)]:
                    return None
                return int(database.execute("select count(*) from orders").fetchone()[0])
    except (pa.ArrowException, OSError, sqlite3.Error, UnicodeDecodeError):
        return None


@contextmanager
def _restarted(server: Cluster, file: Path, pages: bytes) -> Iterator[None]:
    """The server running on these pages of one table, and on its own again afterwards."""
    control = ["-w", "-D", str(server.data), "-l", str(server.scratch / "log"), "-m", "fast"]
    server.tools.run("pg_ctl", *control, "stop")
    whole = file.read_bytes()
    kept = min(len(whole), PAGE_BYTES * SLICE_PAGES)
    file.write_bytes(pages + (whole[kept:] if len(pages) == kept else b""))
    try:
        server.tools.run("pg_ctl", *control, "start")
        yield
        server.tools.run("pg_ctl", *control, "stop")
    finally:
        file.write_bytes(whole)
        server.tools.run("pg_ctl", *control, "start")


def _rows_of(server: Cluster) -> pa.Table:
    """The table as a sequential scan gives it: an index would lead past rows that are gone."""
    said = sql(server.tools, server.server, f"set enable_indexscan = off; select id, word from {TABLE}")  # noqa: S608
    cells = [line.split("|") for line in said.splitlines() if "|" in line]
    return pa.table({"id": [int(cell[0]) for cell in cells], "word": [cell[1] for cell in cells]})
