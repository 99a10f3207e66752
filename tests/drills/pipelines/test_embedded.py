"""SQLite and DuckDB as stores: copied with what they have beside them, killed between their changes, told by rows."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from chaosday.clock import SystemClock
from chaosday.drills.kinds import parse_run
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.drills.pipelines.embedded import build, opened
from chaosday.drills.pipelines.filed import contents
from chaosday.errors import CapabilityMissing, InvalidExperiment, UsageError
from chaosday.model.experiment import validated
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import Run

SQL = "create table orders (key text, n int); create table loads (day text primary key);"
LOADERS = {
    "sqlite": """
import os, sqlite3, sys
day = os.environ["DAY"]
base = sqlite3.connect(sys.argv[1], isolation_level=None)
begin, commit = ("begin immediate", "commit") if "together" in sys.argv else ("select 1", "select 1")
base.execute(begin)
if not base.execute("select 1 from loads where day = ?", (day,)).fetchall():
    for n in range(2):
        base.execute("insert into orders values (?, ?)", (f"{day}-{n}", n))
    base.execute("insert into loads values (?)", (day,))
base.execute(commit)
""",
    "duckdb": """
import os, sys
import duckdb
day = os.environ["DAY"]
base = duckdb.connect(sys.argv[1])
together = "together" in sys.argv
if together:
    base.execute("begin")
if not base.execute("select 1 from loads where day = ?", (day,)).fetchall():
    for n in range(2):
        base.execute("insert into orders values (?, ?)", (f"{day}-{n}", n))
    base.execute("insert into loads values (?)", (day,))
if together:
    base.execute("commit")
base.close()
""",
}
FILES = {"sqlite": "data/shop.db", "duckdb": "data/shop.duckdb"}


@pytest.fixture
def folder(server_directory: Path) -> Path:
    """Where loader and script are."""
    made = Path(tempfile.mkdtemp(dir=server_directory))
    made.chmod(0o711)
    (made / "loader").mkdir()
    return made


def drilled(folder: Path, kind: str, *words: str) -> tuple[Outcome, dict[str, Any]]:
    (folder / "loader" / "load.py").write_text(LOADERS[kind])
    (folder / "shop.sql").write_text(SQL)
    data = {
        "kind": "pipeline",
        "command": [sys.executable, "load.py", "{shop.path}", *words],
        "folder": str(folder / "loader"),
        "stores": {"shop": {"type": kind, "file": FILES[kind], "from": str(folder / "shop.sql")}},
        "outputs": ["shop.main.orders"],
        "days": [{"variables": {"DAY": "one"}}, {"variables": {"DAY": "two"}}],
        "ways": ["kill", "end"],
        "audit": 2,
        "preload": False,
        "budget": {"minutes": 60},
    }
    directory = RunDirectory.create(folder / "runs", "drill", SystemClock())
    with Run(parse_run(data), directory) as live:
        outcome = complete(live).outcome
    return outcome, json.loads((directory.path / "observations" / "pipeline.json").read_text())


@pytest.mark.lab
@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("sound", [False, True])
def test_a_loader_of_a_file_is_sound_where_the_ledger_row_is_in_its_transaction(
    folder: Path, kind: str, *, sound: bool
) -> None:
    """Statements each in a transaction of its own leave half a day, which is loaded again; one transaction does not."""
    outcome, said = drilled(folder, kind, *(["together"] if sound else []))
    assert outcome is (Outcome.PASS if sound else Outcome.VIOLATED), said.get("words", said)
    assert all(each["told"] for each in said["planted"]), said["planted"]
    damages = {each["damage"] for each in said["planted"] if each["output"] == "shop.main.orders"}
    assert damages == {"lost", "duplicated", "changed"}
    found = {(d["output"], d["kind"]) for each in said["attempts"] for d in each["differences"]}
    assert found == (set() if sound else {("shop.main.orders", "duplicated")})
    assert not said["audit"]["disagreeing"]


@pytest.mark.kernel
@pytest.mark.parametrize("kind", LOADERS)
def test_a_store_is_copied_with_what_is_beside_its_file_and_the_original_stays(tmp_path: Path, kind: str) -> None:
    """What was committed and stands in a log alone is in the copy; the original's bytes are what they were."""
    original, copy = tmp_path / "own.db", tmp_path / "work" / "shop.db"
    if kind == "sqlite":
        base = sqlite3.connect(original)
        base.execute("pragma journal_mode = wal")
        base.execute("create table t (n int)")
        base.execute("insert into t values (7)")
        base.commit()
    else:
        with duckdb.connect(str(original)) as made:
            made.execute("pragma disable_checkpoint_on_shutdown; create table t as select 7 as n")
    before = original.read_bytes()
    build(kind, copy, str(original))
    with opened(kind, copy) as found:
        assert found.execute("select n from t").fetchall() == [(7,)]
    if kind == "sqlite":
        base.close()
    else:
        assert original.read_bytes() == before


@pytest.mark.kernel
def test_what_cannot_be_copied_is_said_with_what_would_do(tmp_path: Path) -> None:
    """No file, a file of the other kind, SQL with a mistake, and one that somebody writes to."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as base:
        base.execute("create table t (n int)")
    (tmp_path / "bad.sql").write_text("create tabel t (n int);")
    target = tmp_path / "x" / "shop.duckdb"
    for source, words in {"none.db": "no file", "a.db": "no file of duckdb", "bad.sql": "cannot be loaded"}.items():
        with pytest.raises(UsageError, match=words):
            build("duckdb", target, str(tmp_path / source))
    held = tmp_path / "held.duckdb"
    script = f"import duckdb, sys; b = duckdb.connect({str(held)!r}); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        with pytest.raises(CapabilityMissing, match="nobody writes to it"):
            build("duckdb", target, str(held))
        writer.communicate()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("store", "words"),
    [
        ({"type": "sqlite"}, "file: name the pipeline's own"),
        ({"type": "sqlite", "file": "../shop.db"}, "has to lie in the folder"),
        ({"type": "duckdb", "file": "a.duckdb", "user": "me"}, "a duckdb store is a file"),
        ({"file": "a.db"}, "type: sqlite or type: duckdb"),
        ({"from": "shop.duckdb"}, "no dump of PostgreSQL"),
        ({"from": "mysql://me@db/shop"}, "MySQL cannot be drilled yet"),
        ({"from": "mariadb+pymysql://me@db/shop"}, "MariaDB cannot be drilled yet"),
    ],
)
def test_a_store_that_is_none_is_refused_in_words(store: dict[str, Any], words: str) -> None:
    """Each with what to write in its place."""
    with pytest.raises(InvalidExperiment, match=words):
        validated(PipelineDrill, {"command": ["x"], "stores": {"shop": store}})


@pytest.mark.kernel
def test_a_duckdb_schema_may_have_a_dot_in_its_name(tmp_path: Path) -> None:
    """Its tables are read, and called by it."""
    with duckdb.connect(str(tmp_path / "a.duckdb")) as base:
        base.execute('create schema "raw.shop"; create table "raw.shop"."o.1 ""x""" as select 1 as n')
    ((name, content),) = contents(tmp_path, ["a.duckdb"]).items()
    assert name == 'a.duckdb#raw.shop.o.1 "x"' and content.rows == {("1",): 1}, content
