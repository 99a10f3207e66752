"""Points and states: what may be left out, and how a point is found again."""

from __future__ import annotations

from collections import Counter

import pytest

from chaosday.drills.pipelines.golden import Golden
from chaosday.drills.pipelines.planning import left_out, plan
from chaosday.drills.pipelines.points import AFTER, BEFORE, Aim, Left, Point, Recorder, audited, loose, states
from chaosday.mechanisms.wire.conversation import Ask, Leave
from tests.drills.pipelines.conftest import drill

pytestmark = pytest.mark.kernel
ASKS = [Ask(1, "begin"), Ask(1, "insert 1", "T"), Ask(2, "insert 2"), Ask(1, "insert 3", "T"), Ask(1, "commit", "T")]
COMMITS = {"insert 2": 1, "commit": 1}
"""What each leaves; the insert of connection 2 stands in no transaction."""


def recorded() -> list[Point]:
    done = [0]
    recorder = Recorder(lambda: Left(done[0]))
    for ask in ASKS:
        assert recorder.arrived(ask) is Leave.GO
        done[0] += COMMITS.get(ask.text, 0)
        assert recorder.answered(ask) is Leave.GO
    return recorder.points


def test_points_that_leave_the_same_are_one_state() -> None:
    """Both sides of each ask are points; states begin where something was committed, and know after
    what: a transaction is told by its last statement, COMMIT alone would be any."""
    points = recorded()
    assert [point.name for point in points[:4]] == ["1.before", "1.after", "2.before", "2.after"]
    assert [(p.name, p.left.commits, p.last_commit) for p in states(points)] == [
        ("1.before", 0, ""),
        ("3.after", 1, "insert 2"),
        ("5.after", 2, "insert 3; commit"),
    ]


def test_what_comes_late_could_be_seen_where_it_stands_alone() -> None:
    """The arrivals of asks that commit, and of those in no transaction: what found no row may find one then."""
    in_vain = [Point(6, side, "delete 1", 1, Left(2)) for side in (BEFORE, AFTER)]
    assert [point.name for point in loose([*recorded(), *in_vain])] == ["3.before", "5.before", "6.before"]


def test_the_audit_takes_what_states_leave_out() -> None:
    """A seeded sample, in order, and all of it where that is asked for."""
    points = recorded()
    chosen = {point.name for point in states(points)}
    everything = [point.name for point in audited(points, 1000, 1)]
    assert everything == [point.name for point in points if point.name not in chosen]
    assert audited(points, 3, 5) == audited(points, 3, 5) and len(audited(points, 3, 5)) == 3


@pytest.mark.parametrize(
    ("minutes", "made", "words"),
    [
        (10, {"kill": 5, "end": 1, "late": 2, "cut": 10, "zombie": 10}, []),
        (0.2, {"kill": 5, "end": 1, "late": 1}, ["1 of 2 late messages", "0 of 10 cut connections", "0 of 10 zombies"]),
        (0.3, {"kill": 5, "end": 1, "late": 2, "cut": 2, "zombie": 1}, ["2 of 10 cut connections", "1 of 10 zombies"]),
    ],
)
def test_what_a_run_outlives_is_sampled_where_the_budget_is_small(
    minutes: float, made: dict[str, int], words: list[str]
) -> None:
    """Crash states are never left out; what is, is said."""
    value = drill({"shop": {}}, budget={"minutes": minutes}, audit=2)
    golden = Golden(points=recorded(), seconds=0.6, restore_s=0.2)
    planned = plan(value, golden)
    assert Counter(each.way for each in planned) == made
    said = left_out(value, golden, planned)
    assert [line.partition(" were")[0] for line in said] == words
    assert len({(each.way, each.name) for each in planned}) == len(planned)


@pytest.mark.parametrize(("side", "leave"), [(BEFORE, Leave.STOP), (AFTER, Leave.WITHHOLD)])
def test_a_point_is_found_by_what_it_says(side: str, leave: Leave) -> None:
    """By text and occurrence, literals apart, whatever other connections say in between."""
    point = next(each for each in recorded() if each.number == 4 and each.side == side)
    aim = Aim(point)
    said = [Ask(2, "insert 7"), Ask(1, "begin"), Ask(1, "insert 9", "T"), Ask(1, "insert 11", "T")]
    met = [aim.arrived(ask) for ask in said]
    assert met == [Leave.GO, Leave.GO, Leave.GO, leave]
    if side == AFTER:
        assert not aim.reached.is_set()
        assert (aim.answered(said[2]), aim.answered(said[3])) == (Leave.GO, Leave.STOP)
    assert aim.reached.is_set() and not aim.went_on
    # Whoever asks more in a connection that was to be cut shows that it was not.
    aim.arrived(Ask(2, "select 1"))
    assert not aim.went_on
    aim.arrived(Ask(1, "select 1"))
    assert aim.went_on
