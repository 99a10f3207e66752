"""``chaosday run`` takes any kind of run, and decides whether it may begin before it starts a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.drills.kinds import kinds, parse_run
from chaosday.errors import InvalidExperiment, UnknownName
from tests.conformance.arrangements import ARRANGEMENTS, Bench
from tests.conformance.test_kinds import _Nowhere

KINDS = sorted(ARRANGEMENTS)
# Those that there were before files had a 'kind'.
OLDER = ("detection", "experiment", "gameday", "restore")


def arranged(kind: str, folder: Path) -> dict[str, Any]:
    """A file's content, nothing of which is reached."""
    return ARRANGEMENTS[kind](Bench(folder, _Nowhere(), 1))


def ran(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program, with a Prefect of its own that nobody has started yet."""
    home = {"HOME": str(folder), "PREFECT_HOME": str(folder / "prefect"), "CHAOSDAY_RUNS": str(folder / "runs")}
    return subprocess.run(
        [sys.executable, "-m", "chaosday", "run", *words],
        cwd=folder,
        env={**os.environ, **home, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.kernel
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_says_what_it_is(kind: str, tmp_path: Path) -> None:
    """By the field 'kind'; of those that are older than it, by their words, and by nothing at all for an experiment."""
    data = arranged(kind, tmp_path)
    assert parse_run(data | {"kind": kind}).kind == kind
    if kind not in OLDER:
        return
    older = {"detection": {"drill": "detection"}, "restore": {"drill": "restore"}}.get(kind, {})
    assert parse_run({name: value for name, value in data.items() if name != "kind"} | older).kind == kind


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"kind": "expermient"}, UnknownName, "did you mean experiment"),
        ({"drill": "fire"}, UnknownName, ", ".join(sorted(kinds()))),
        ({"kind": "restore", "drill": "detection"}, InvalidExperiment, "the rest of the file is a detection"),
        ({"kind": "restore", "befor_s": 1}, InvalidExperiment, "befor_s: there is no such field"),
        ({"kind": ["restore"]}, UnknownName, "there is no kind of run"),
    ],
)
def test_a_misspelt_kind_is_told(data: dict[str, Any], error: type[Exception], words: str) -> None:
    """With the kinds there are; a file that contradicts itself is no file of either."""
    with pytest.raises(error, match=words):
        parse_run(data)


@pytest.mark.lab
def test_what_may_not_begin_starts_no_server(tmp_path: Path) -> None:
    """Halted, forbidden, late: exit 2, each with a verdict and a report of its own; misspelt: exit 64. No Prefect."""
    files = []
    for kind in KINDS:
        files.append(tmp_path / f"{kind}.yaml")
        files[-1].write_text(yaml.safe_dump(arranged(kind, tmp_path) | {"environment": "production"}))
    (tmp_path / "limits.yaml").write_text(yaml.safe_dump({"protected_names": ["*victims*", "127.0.0.1"]}))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "HALT").write_text(json.dumps({"why": "enough", "by": "x", "at": "now"}))
    options = ["--guardrails", "limits.yaml", "--due", "2020-01-01T00:00:00", "--json"]
    done = ran(tmp_path, *map(str, files), *options)
    assert done.returncode == 2, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(KINDS)
    for each in said:
        for words in ("enough", "production is refused", "late run"):
            assert any(words in reason for reason in each["reasons"]), each["reasons"]
        assert each["outcome"] == "inconclusive" and (Path(each["run"]) / "report.html").is_file()
    files[0].write_text("kind: expermient")
    assert ran(tmp_path, str(files[0])).returncode == 64
    assert not (tmp_path / "prefect" / "prefect.db").exists()


@pytest.mark.lab
def test_a_prefect_that_is_away_is_one_line(tmp_path: Path) -> None:
    """Named and not there: exit 69, nothing begun."""
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump(arranged("detection", tmp_path)))
    done = ran(tmp_path, str(file), "--quiet", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 69, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "Prefect" in done.stderr
    assert not list((tmp_path / "runs").glob("*/journal.jsonl"))
