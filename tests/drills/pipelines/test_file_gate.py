"""What a run does to its files is points, like what it asks: killed before and after, and run again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chaosday.drills.pipelines.attempts import Attempts
from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.planning import one, plan
from chaosday.drills.pipelines.points import FILES, Left, Point, Recorder, file_act
from chaosday.drills.pipelines.sighting import GOLDEN
from chaosday.drills.pipelines.story import causes, coverage
from chaosday.errors import UsageError

pytestmark = pytest.mark.lab
LOADER = """
import os, pathlib
at, new = pathlib.Path("state/at"), pathlib.Path("state/new")
number = int(at.read_text()) if at.exists() else 0
if IN_PLACE:
    at.write_text(str(number + 1))
else:
    new.write_text(str(number + 1))
    os.replace(new, at)
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out/orders.csv").write_text("number\\n1\\n")
"""


def known(bench: Bench, folder: Path, *, in_place: bool) -> Attempts:
    """Attempts on a loader that was run undisturbed, with a bookmark from the day before."""
    loader = folder / "loader.py"
    loader.write_text(LOADER.replace("IN_PLACE", str(in_place)))
    settings = {"command": [sys.executable, str(loader)], "state": ["state/"], "outputs": ["out/"]}
    bench.value = bench.value.model_copy(update=settings)
    bench.copies.restore("origin")
    state = bench.work / "state"
    state.mkdir(exist_ok=True)
    (state / "at").write_text("1")
    bench.keep(BASE)
    recorder = Recorder(bench.watch())
    ran = bench.run(recorder, bench.value.days[-1])
    assert ran.well, ran.said
    bench.keep(GOLDEN)
    golden = Golden(points=recorder.points, end=recorder.look(), acts=recorder.acts, seconds=0.1)
    return Attempts(bench, golden, lambda: False)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_bookmark_in_place_is_told_from_one_that_is_renamed(bench: Bench, tmp_path: Path, in_place: bool) -> None:
    """Killed at every state, the one is once found empty and never recovers; the other always leaves the same."""
    attempts = known(bench, tmp_path, in_place=in_place)
    made = [attempts.kill(point) for point in attempts.golden.states]
    hit = [each for each in made if each is not None and each.hit]
    assert len(hit) == len(attempts.golden.states) > 3, [each.why for each in made if each]
    wrong = causes(hit, files=True)
    assert [dict(cause.damage).get("the re-run") for cause in wrong] == (["never recovers"] if in_place else [])
    if in_place:
        assert "killed at point 1.after, «empty state/at»: after the kernel had done it" in wrong[0].story()
    assert coverage(attempts.golden, [], {})[0].startswith(f"covered: {attempts.golden.acts} changes of files")


def test_a_file_is_no_connection_that_could_be_cut(bench: Bench, tmp_path: Path) -> None:
    """At its points only kills are planned; one that asks for more is told so."""
    golden = known(bench, tmp_path, in_place=False).golden
    planned = plan(bench.value, golden)
    assert {each.way for each in planned} == {"kill", "end"}
    with pytest.raises(UsageError, match=r"only: at 1\.before a file is changed"):
        one("1.before.cut", golden)


def test_of_writes_in_a_row_the_first_and_the_last_are_points() -> None:
    """A file of a hundred writes is four of them and its neighbours; the last one is aimed at by its place."""
    recorder = Recorder(lambda: Left(files=str(recorder.asks)))
    for text in ["create out/a", *["write out/a"] * 100, "write out/b", "write out/a"]:
        ask = file_act(text, 7)
        recorder.arrived(ask)
        recorder.answered(ask)
    seen = [(point.text, point.occurrence, point.side) for point in recorder.points if point.side == "after"]
    assert seen == [
        ("create out/a", 1, "after"),
        ("write out/a", 1, "after"),
        ("write out/a", 100, "after"),
        ("write out/b", 1, "after"),
        ("write out/a", 101, "after"),
    ]
    assert (recorder.folded, recorder.acts) == (98, 103)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("write out/1f0c2a4e-9b1d-4c3a-8f00-0123456789ab", "write out/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"),
        ("rename state/tmpab3d_x1z to state/at", "rename state/tmpzz9_0q1k to state/at"),
        ("create out/load-20261201.csv", "create out/load-20261202.csv"),
    ],
)
def test_a_file_is_found_again_by_what_is_not_drawn_in_its_name(name: str, other: str) -> None:
    """Numbers that are drawn anew in each run are none of what its points are found by; the rest of the name is."""
    kin = [Point(1, "before", text, 1, Left(), channel=FILES).kin for text in (name, other, name.replace("/", "/x"))]
    assert kin[0] == kin[1] != kin[2]
