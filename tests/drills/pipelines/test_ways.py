"""What a run outlives: a connection that is cut, a message that comes late, a second run beside it."""

from __future__ import annotations

import pytest

from chaosday.drills.pipelines import comparing
from chaosday.drills.pipelines.attempts import CUT, END, KILL, LATE, STUCK, ZOMBIE, Attempts
from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.golden import BASE, Golden
from chaosday.drills.pipelines.points import Point, Recorder
from chaosday.drills.pipelines.sighting import GOLDEN
from chaosday.drills.pipelines.story import causes
from tests.drills.pipelines.conftest import psql

pytestmark = pytest.mark.lab
LEDGER = (
    "insert into notes select unnest(array['row', 'done']) where not exists (select from notes where said = 'done')"
)
KEYED = (
    "with taken as (insert into orders (n) values (1000) on conflict do nothing returning n)"
    " insert into notes select 'row' from taken"
)
APPEND = "insert into notes values ('row')"
FENCE = (
    "select pg_terminate_backend(pid, 60000) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)
FENCING = psql(FENCE, "begin", APPEND, "commit")
"""Whoever else is there it ends first."""
WHOLE = psql("begin", APPEND, "commit")
UNKEYED, SOUND = psql("begin", LEDGER, "commit"), psql("begin", KEYED, "commit")
IMPATIENT = ["sh", "-c", '"$@" || exec "$@"', "x", *psql(APPEND)]
"""One that tries again by itself."""


def known(bench: Bench, command: list[str], **changed: object) -> Attempts:
    """Attempts on a bench on which the command was run undisturbed."""
    bench.copies.restore("origin")
    settings = {"command": command, "ignore": {"*": ["id"]}, "outputs": ["*"], "variables": {}, **changed}
    bench.value = bench.value.model_copy(update=settings)
    bench.keep(BASE)
    recorder, day = Recorder(bench.watch()), bench.value.days[-1]
    assert bench.run(recorder, day).well
    golden = Golden(points=recorder.points, end=recorder.look())
    bench.keep(GOLDEN)
    return Attempts(bench, golden, lambda: False)


def point(attempts: Attempts, text: str, side: str) -> Point:
    return next(each for each in attempts.golden.points if text in each.text and each.side == side)


@pytest.mark.parametrize(
    ("command", "way", "text", "side", "damage", "reruns", "words"),
    [
        (WHOLE, KILL, "commit", "before", [], ["exit 0"], ""),
        (WHOLE, END, "commit", "after", ["duplicated"], ["exit 0"], "its scheduler did not hear of it"),
        (UNKEYED, KILL, "commit", "before", [], ["exit 0"], ""),
        (UNKEYED, LATE, "commit", "before", ["duplicated"], ["exit 0"], "what the dead one had asked arrived after"),
        (UNKEYED, ZOMBIE, "commit", "before", ["duplicated"], ["exit 0"], "went on after that, and ended with exit 0"),
        (UNKEYED, ZOMBIE, "commit", "after", [], ["exit 0"], ""),
        (SOUND, LATE, "commit", "before", [], ["exit 0"], "waited"),
        (SOUND, ZOMBIE, "commit", "before", [], ["exit 0"], "waited"),
        (FENCING, ZOMBIE, "commit", "before", [], ["exit 0"], ""),
        (IMPATIENT, CUT, "insert", "before", [], [], ""),
        (IMPATIENT, CUT, "insert", "after", ["duplicated"], [], "ended with exit 0, and nobody ran it again"),
        (psql(APPEND), CUT, "insert", "after", ["duplicated"], ["exit 0"], "it ended with exit 2"),
    ],
    ids=lambda each: "" if isinstance(each, list) else str(each)[:20],
)
def test_each_way_finds_what_it_alone_can_find(
    bench: Bench, command: list[str], way: str, text: str, side: str, damage: list[str], reruns: list[str], words: str
) -> None:
    """One transaction is sound for kills until its end is not heard, and so is one that looks before it writes, but two
    at once both find nothing; with a key the second one waits. What tries again by itself doubles what was done."""
    attempts = known(bench, command)
    attempt = attempts.by(way, point(attempts, text, side))
    assert attempt is not None and attempt.hit, attempt
    assert ([each.kind for each in attempt.differences], attempt.reruns) == (damage, reruns), attempt
    assert attempts.doubts == [] and not list(bench.scratch.glob("aside-*"))
    if words == "waited":
        assert attempt.in_the_way
    elif words:
        (cause,) = causes([attempt])
        assert any(words in line for line in cause.story()), cause.story()


def test_an_output_that_nobody_can_read_is_stuck(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prepared transaction keeps its locks when its client has died; the next attempt begins without it."""
    monkeypatch.setattr(comparing, "_PATIENCE", "set lock_timeout = '200ms'")
    two_phases = psql("begin", "lock table notes", APPEND, "prepare transaction 'x'", "commit prepared 'x'")
    command = ["sh", "-c", '[ -e mark ] && exit; touch mark; exec "$@"', "x", *two_phases]
    attempts = known(bench, command, state=["mark"])
    for _ in range(2):
        attempt = attempts.kill(point(attempts, "commit prepared", "before"))
        assert attempt is not None and attempt.hit, attempt
        assert attempt.classes == [("the output", STUCK)]
    bench.value = bench.value.model_copy(update={"state": []})


def test_a_file_that_is_written_last_makes_the_state_of_the_end(bench: Bench) -> None:
    """The end is the state that the last change of a file has left, and is not counted as that of the last ask."""
    attempts = known(bench, ["sh", "-c", '"$@" && echo done > mark', "x", *psql(APPEND)], state=["mark"])
    attempt = attempts.end()
    bench.value = bench.value.model_copy(update={"state": []})
    assert attempt is not None and attempt.hit
    last = attempts.golden.states[attempt.state - 1]
    assert (attempt.state, last.name, last.text) == (len(attempts.golden.states), "3.after", "write mark")
