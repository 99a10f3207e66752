"""Imports are done once where no run can tell; where one can, each stays a process of its own, and it is said why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.drills.pipelines.attempts import Attempts
from chaosday.drills.pipelines.bench import Bench, Ran
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.points import Point, Recorder
from chaosday.drills.pipelines.preloading import _harm, preload
from chaosday.drills.pipelines.sighting import GOLDEN
from tests.drills.pipelines.conftest import psql

pytestmark = pytest.mark.lab
JOB = """
import os, psycopg
with psycopg.connect(autocommit=True) as sql:
    sql.execute("insert into notes values ('row')")
"""
SEES = JOB + "    if 'fork_server' in open('/proc/self/cmdline').read():\n        sql.execute('select 1')\n"


@pytest.fixture
def job(bench: Bench, tmp_path: Path) -> Iterator[Path]:
    """A folder for ``job.py``; afterwards the bench has none, and forks nothing."""
    whole = bench.value
    yield tmp_path
    bench.do_not_fork()
    bench.value = whole


def known(bench: Bench, folder: Path, script: str, command: list[str]) -> Golden:
    (folder / "job.py").write_text(script)
    bench.copies.restore("origin")
    bench.value = bench.value.model_copy(
        update={"command": command, "folder": folder, "outputs": ["*"], "variables": {}, "ignore": {}, "state": []}
    )
    bench.keep(BASE)
    recorder = Recorder(bench.watch())
    assert bench.run(recorder, bench.value.days[-1]).well
    end = recorder.look()
    bench.keep(GOLDEN)
    return Golden(points=recorder.points, end=end)


def test_runs_begin_where_imports_end(bench: Bench, job: Path) -> None:
    """Nothing of the module is imported once more, a kill hits where it did, and what is found is the same."""
    golden = known(bench, job, JOB, [sys.executable, "job.py"])
    assert preload(bench, golden, lambda: False) == ""
    assert bench.forks is not None and "psycopg" in (bench.scratch / "modules").read_text().split()
    attempts = Attempts(bench, golden, lambda: False)
    attempt = attempts.kill(_last(golden))
    assert attempt is not None and attempt.hit, attempt
    assert ([each.kind for each in attempt.differences], attempt.reruns) == (["duplicated"], ["exit 0"])
    zombie = attempts.zombie(golden.points[0])
    assert zombie is not None and zombie.hit and [each.kind for each in zombie.differences] == ["duplicated"]


@pytest.mark.parametrize(
    ("script", "command", "words"),
    [
        ("", psql("insert into notes values ('row')"), "no script that Python is given without options"),
        (SEES, [sys.executable, "job.py"], "forked it does not ask the same"),
        (JOB + "os._exit(0)\n", [sys.executable, "job.py"], "without letting its interpreter finish"),
    ],
    ids=["no Python", "it looks", "it leaves at once"],
)
def test_where_a_run_could_tell_it_is_fresh(
    bench: Bench, job: Path, script: str, command: list[str], words: str
) -> None:
    """And the reason is said; the next run is a process of its own."""
    golden = known(bench, job, script, command)
    assert words in preload(bench, golden, lambda: False)
    assert bench.forks is None


def test_a_process_that_imports_begin_is_harm() -> None:
    """It is ended with the run that it was seen in; a server's would go on and be everybody's."""
    assert _harm(Ran(0, 1.0, "[]", daemons=2)) == "its imports leave 2 processes"
    assert _harm(Ran(0, 1.0, '["1 process"]', daemons=1)) == "its imports leave 1 process"
    assert _harm(Ran(0, 1.0, "[]")) == ""


def _last(golden: Golden) -> Point:
    return golden.points[-1]
