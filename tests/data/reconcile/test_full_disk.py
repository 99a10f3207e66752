"""A full disk: one line, the exit code of one, nothing left, and never a word about the rows."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.data.manifest import of_directory
from chaosday.data.reconcile import diff
from chaosday.errors import EvidenceUnwritable
from tests.data.reconcile.servers import Postgres

ROWS = 20_000


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


@contextlib.contextmanager
def no_room(most_bytes: int = 20_000) -> Iterator[None]:
    """Inside, no file grows beyond so many bytes: the kernel refuses as it does where a quota is used up."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.parametrize("engine", ["csv", "sqlite"])
def test_a_comparison_without_room_is_none(scratch: Path, tmp_path: Path, engine: str) -> None:
    """Two equal sides are not called equal where there is no room to compare them, and nothing is left."""
    side = str(tmp_path / "t.csv")
    if engine == "csv":
        Path(side).write_text("id,v\n" + "".join(f"{n},{n * 7919 % 1000003}\n" for n in range(ROWS)))
    else:
        with contextlib.closing(sqlite3.connect(tmp_path / "t.db")) as database:
            database.execute("create table t (id integer primary key, v text)")
            database.executemany("insert into t values (?, ?)", ((n, str(n * 7919)) for n in range(ROWS)))
            database.commit()
        side = f"sqlite:///{tmp_path}/t.db#t"
    with no_room(), pytest.raises(EvidenceUnwritable, match="is full: free some, or set TMPDIR"):
        diff(side, side, key=["id"])
    assert list(scratch.iterdir()) == []


@pytest.mark.lab
def test_rows_that_differ_need_room(scratch: Path, server: Postgres, schema: str) -> None:
    """Rows of PostgreSQL that were fetched to be compared."""
    numbers = f"generate_series(1, {ROWS}) g"
    server.sql(f"create table {schema}.l as select g as id, md5(g::text) as v from {numbers}",
               f"create table {schema}.r as select id, upper(v) as v from {schema}.l")  # fmt: skip
    with no_room(), pytest.raises(EvidenceUnwritable, match="is full: free some, or set TMPDIR"):
        diff(f"{server.url}#{schema}.l", f"{server.url}#{schema}.r", key=["id"])
    assert list(scratch.iterdir()) == []


def test_a_manifest_names_the_file_that_has_no_room(tmp_path: Path) -> None:
    """What was hashed is remembered as far as there was room for it."""
    (tmp_path / "tree").mkdir()
    for number in range(40):
        (tmp_path / "tree" / f"f{number:02}").write_bytes(bytes([number]))
    with no_room(1_000), pytest.raises(EvidenceUnwritable, match=r"out\.resume cannot be written"):
        of_directory(tmp_path / "tree", resume=tmp_path / "out.resume")
    again = of_directory(tmp_path / "tree", resume=tmp_path / "out.resume")
    assert len(list(again.pieces())) == 40
