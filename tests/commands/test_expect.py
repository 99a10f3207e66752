"""chaosday expect: a suite from a baseline, and what it says of good, damaged, empty and unreachable data."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from chaosday.data.expectations import error_in, validated
from chaosday.data.profiling import profiled
from chaosday.errors import MalformedInput
from chaosday.servers.postgres import Node
from tests.commands.forked import chaosday


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": range(1, 201),
            "state": ["open", "paid"] * 100,
            "pieces": [n % 7 for n in range(200)],
            "note": [None if n % 3 else "x" for n in range(200)],
        }
    )


def expect(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return chaosday("expect", *words, cwd=cwd)


@pytest.mark.breadth
@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda rows: rows, 0),
        (lambda rows: rows.assign(state=rows.state.where(rows.id != 7, "lost")), 1),
        (lambda rows: rows.assign(pieces=rows.pieces.where(rows.id != 7, 99)), 1),
        (lambda rows: pd.concat([rows, rows[rows.id == 7]]), 1),
        (lambda rows: rows.head(20), 1),
        (lambda rows: rows.drop(columns="note"), 1),
        (lambda rows: rows.head(0), 2),
    ],
)
def test_a_profile_sees_what_a_baseline_can(
    tmp_path: Path, damage: Callable[[pd.DataFrame], pd.DataFrame], code: int
) -> None:
    """The baseline meets its own suite; values out of set or range, repeats, losses and lost columns do not; no
    rows are inconclusive."""
    frame().to_parquet(tmp_path / "before.parquet")
    damage(frame()).to_parquet(tmp_path / "after.parquet")
    assert expect("before.parquet", "--profile", "suite.json", cwd=tmp_path).returncode == 0
    done = expect("after.parquet", "--suite", "suite.json", "--html", "page.html", "--json", cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["outcome"] == {0: "pass", 1: "violated", 2: "inconclusive"}[code]
    if code == 1 and len(damage(frame())) == 200:
        assert any("7" in record["found"].split(", ") for record in said["results"]) or "note" not in damage(frame())
    assert (tmp_path / "page.html").exists() == (code != 2)


@pytest.mark.lab
def test_a_table_and_a_store_that_is_gone(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """A query of a real database is validated; nobody listening is 69, without the password."""
    (tmp_path / "suite.json").write_text('[{"expect": "column_values_to_be_unique", "arguments": {"column": "id"}}]')
    url = f"postgresql://postgres:{pair[0].password}@127.0.0.1:{pair[0].port}/postgres"
    query = "#select g % 3 as id from generate_series(1, 9) g"
    assert expect(url + query, "--suite", "suite.json", cwd=tmp_path).returncode == 1
    gone = expect(url.replace(str(pair[0].port), "9") + query, "--suite", "suite.json", cwd=tmp_path)
    assert gone.returncode == 69
    assert pair[0].password not in gone.stdout + gone.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.parquet"], "--suite FILE to validate"),
        (["x.parquet", "--suite", "nowhere.json"], "nowhere.json"),
        (["x.parquet", "--suite", "bad.json"], "a suite is a list of expectations"),
        (["x.parquet", "--suite", "suite.json", "--key", "nokey"], "no column nokey"),
        (["x.txt", "--suite", "suite.json"], "neither Parquet nor CSV"),
        (["bad.parquet", "--suite", "suite.json"], "cannot be read as parquet"),
    ],
)
def test_wrong_input_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    """Each mistake is named; none is a traceback."""
    frame().to_parquet(tmp_path / "x.parquet")
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "bad.parquet").write_text("nonsense")
    (tmp_path / "suite.json").write_text('[{"expect": "column_values_to_be_unique", "arguments": {"column": "id"}}]')
    done = expect(*words, cwd=tmp_path)
    assert done.returncode == 64
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_baseline_meets_its_own_suite() -> None:
    """Whatever was profiled is true of what it was profiled from; an empty one is refused."""
    suite = profiled(frame(), "id")
    results = validated(frame(), suite, "id")
    assert [error_in(result) or result["success"] for result in results] == [True] * len(suite)
    with pytest.raises(MalformedInput, match="without rows"):
        profiled(frame().head(0), "id")
