"""The whole drill of an unmodified loader: the one without a key is found out, its sound twin is not."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.drills.kinds import parse_run
from chaosday.drills.leftovers import COPY
from chaosday.errors import InvalidExperiment
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import Run

LOADER = """
import os, sys
import psycopg

rows = [(f"{os.environ['DAY']}-{n}", n) for n in range(3)]
insert = "insert into orders (key, n) values (%s, %s)" + (" on conflict do nothing" if "key" in sys.argv else "")
with psycopg.connect(autocommit="apart" in sys.argv) as connection:
    for row in rows:
        connection.execute(insert, row)
"""
TABLE = {"key": "key text primary key, n int", "": "key text, n int"}


@pytest.fixture
def folder(server_directory: Path) -> Path:
    """Where the loader and its database's script are."""
    made = Path(tempfile.mkdtemp(dir=server_directory))
    made.chmod(0o711)
    (made / "loader").mkdir()
    (made / "loader" / "loader.py").write_text(LOADER)
    return made


def ran(folder: Path, *words: str, **changed: Any) -> tuple[Any, dict[str, Any]]:
    (folder / "shop.sql").write_text(f"create table orders ({TABLE['key' if 'key' in words else '']});")
    data = {
        "kind": "pipeline",
        "command": [sys.executable, "loader.py", *words],
        "folder": str(folder / "loader"),
        "stores": {"shop": {"from": str(folder / "shop.sql")}},
        "days": [{"variables": {"DAY": "monday"}}, {"variables": {"DAY": "tuesday"}}],
        "audit": 2,
        "ways": ["kill", "end"],
    }
    directory = RunDirectory.create(folder / "runs", "drill", SystemClock())
    with Run(parse_run(data | changed), directory) as run:
        verdict = complete(run)
    said = [json.loads(line) for line in directory.journal_path.read_text().splitlines()]
    # Whoever comes after a run that died knows from its journal where the copies lie.
    assert [each["data"]["folder"] for each in said if each["event"] == COPY]
    assert not list(directory.path.rglob("copy/*"))
    seen = directory.path / "observations" / "pipeline.json"
    return verdict, directory.read_json("observations/pipeline.json") if seen.exists() else {}


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_a_loader_without_a_key_doubles_rows(folder: Path) -> None:
    """Each insert is a commit: killed after any of them, the re-run loads what was loaded. Grouped, and told."""
    verdict, seen = ran(folder, "apart")
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.reasons == ["exactly_once: 3 of 4 crash states leave shop.public.orders duplicated"]
    (cause,) = seen["causes"]
    assert cause["after"].startswith("insert into orders") and cause["states"] == [2, 3, 4] and "end" in cause["points"]
    assert any("1 row duplicated: (tuesday-0,0)" in line for line in cause["story"])
    assert seen["audit"] == {"run": 2, "agree": 2, "disagreeing": []} and seen["doubts"] == []
    assert all(verdict.proofs[name].held for name in ("bite", "sight", "clean")), verdict.proofs


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.parametrize("words", [("key", "apart"), ("key",)], ids=["a key", "a key, one transaction"])
def test_its_sound_twins_are_exactly_once(folder: Path, words: tuple[str, ...]) -> None:
    """With a key to tell what was loaded the re-run adds what is missing, whether at once or row by row."""
    verdict, seen = ran(folder, *words)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert seen["states"] == (4 if "apart" in words else 2)


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_one_point_alone_is_no_verdict(folder: Path) -> None:
    """It is run, and shows what it showed; that the others are sound nobody says."""
    verdict, seen = ran(folder, "key", only="1.before.cut")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert [(each["point"], each["ended"]) for each in seen["attempts"]] == [("1.before.cut", "exit 1")]
    assert any("only point 1.before.cut was run" in reason for reason in verdict.reasons)
    assert "0 of 1 cut connections leave anything but what an undisturbed run leaves" in seen["words"]


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_a_budget_that_is_too_small_is_said_before_anything_is_killed(folder: Path) -> None:
    """And how much it would take."""
    verdict, seen = ran(folder, "key", "apart", budget={"minutes": 0.001})
    assert verdict.outcome is Outcome.INCONCLUSIVE and seen["attempts"] == []
    assert any("give it at least" in reason for reason in verdict.reasons)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"days": [{}]}, "days: at least two"),
        ({"stores": {"shop": {"from": "mysql://a@b/c"}}}, "MySQL cannot be drilled yet"),
        ({"stores": {"shop": {"from": "postgresql://a:secret@b/c"}}}, "leave the password out"),
        ({"stores": {"shop": {"from": "postgresql://a@b/c?password=secret"}}}, "leave the password out"),
        ({"stores": {"shop": {"from": "postgresql://a:secret/2@b/c"}}}, "the port in url is not a number"),
        ({"stores": {"shop": {"from": "postgresql://a:secret\u2100@b/c"}}}, "cannot be read as an address"),
        ({"stores": {"shop": {"from": "postgresql://a@b:0/c"}}}, "port: .* greater than or equal to 1"),
        ({"stores": {"shop": {"from": "postgresql:///c"}}}, "a store's server has a name"),
        ({"state": ["../elsewhere"]}, "has to lie in the folder"),
        ({"days": [{}, {"arrives": {"shp": "x.sql"}}]}, "no store is called 'shp'"),
        ({"only": "somewhere"}, "only"),
        ({"only": "3.after.struck"}, "only"),
    ],
)
def test_a_file_that_cannot_be_is_refused(changed: dict[str, Any], words: str) -> None:
    """Before anything is read or reached, with the field at fault; a password is not repeated."""
    with pytest.raises(InvalidExperiment, match=words) as refused:
        parse_run({"kind": "pipeline", "stores": {"shop": {}}, "command": ["true"]} | changed)
    assert "secret" not in str(refused.value)


@pytest.mark.kernel
def test_what_a_file_lacks_is_said_as_a_gap() -> None:
    """A form that is sent empty begins nothing."""
    gaps = parse_run({"kind": "pipeline", "folder": "no-such-folder"}).gaps()
    assert [gap.partition(":")[0] for gap in gaps] == ["command", "stores", "folder"]
