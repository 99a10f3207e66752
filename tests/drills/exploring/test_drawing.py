"""What is drawn, by which seed, and what makes it smaller."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from chaosday.drills.exploring.base import Allowed, Base, Limits, read_base
from chaosday.drills.exploring.drawing import allowance_of, allowed_by, between, drawn, mutated
from chaosday.drills.exploring.shrinking import smaller
from chaosday.errors import InvalidExperiment, UnknownName, UsageError
from tests.docs.pages import ROOT

pytestmark = pytest.mark.kernel
DELAY: dict[str, Any] = {"kind": "network.proxy.latency", "target": "door", "delay_ms": 40}
KILL: dict[str, Any] = {"kind": "process.kill", "target": "process"}
ALLOWED = [Allowed(fault=DELAY, vary={"delay_ms": (10, 1000)}), Allowed(fault=KILL)]
STORE = {"kind": "line_store", "port": 1}
EXPERIMENT: dict[str, Any] = {
    "title": "small",
    "targets": {"store": STORE, "process": {"kind": "local_process", "pid": 1}},
    "workloads": [{"kind": "set", "target": "store", "clients": 4}],
    "checks": [{"kind": "set"}],
    "fault_window_s": 3,
}


def test_the_same_seed_draws_the_same() -> None:
    """Schedules, and schedules that were varied; another seed draws others."""

    def many(seed: int) -> list[Any]:
        rng = Random(seed)
        found = [drawn(ALLOWED, Limits(), rng) for _ in range(20)]
        return found + [mutated(each, ALLOWED, Limits(), rng) for each in found]

    assert many(1) == many(1)
    assert many(1) != many(2)


def test_what_is_drawn_keeps_to_its_limits() -> None:
    """Number, time and dose; in the order in which they begin, and each can be led back to what allowed it."""
    limits, rng = Limits(faults_at_most=2, within_s=1.5), Random(7)
    schedules = [drawn(ALLOWED, limits, rng) for _ in range(300)]
    assert {len(each) for each in schedules} == {1, 2}
    for schedule in schedules:
        times = [each["at_s"] for each in schedule]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= 1.5
        assert all(10 <= each["fault"].get("delay_ms", 10) <= 1000 for each in schedule)
        assert all(allowance_of(each, ALLOWED) in ALLOWED for each in schedule)


@pytest.mark.parametrize(
    ("mild", "hard", "share", "found"),
    [(10, 1000, 0, 10), (10, 1000, 1, 1000), (10, 1000, 0.5, 100), (1000, 10, 0.5, 100), (0, 1, 0.25, 0.25)],
)
def test_a_dose_lies_between_its_ends(mild: float, hard: float, share: float, found: float) -> None:
    """By factors where both are above 0; hard may be the smaller number."""
    assert between(mild, hard, share) == found


def test_patterns_allow_what_targets_can_take() -> None:
    """A kind, a family, the file's own faults; a name that is none is one line, and nothing to draw is said."""
    base = Base("small", EXPERIMENT, (KILL | {"ttl_s": 9},))
    assert [each.fault for each in allowed_by([], base, {})] == [KILL | {"ttl_s": 9}]
    kinds = {each.fault["kind"]: each.fault for each in allowed_by(["process"], base, {})}
    assert kinds["process.kill"]["ttl_s"] == 9
    assert kinds["process.pause"] == {"kind": "process.pause", "target": "process"}
    with pytest.raises(UnknownName, match="no fault is called 'nonsense'"):
        allowed_by(["nonsense"], base, {})
    with pytest.raises(UsageError, match="name some with --allow"):
        allowed_by([], Base("small", EXPERIMENT, ()), {})
    with pytest.raises(UsageError, match="no target offers"):
        allowed_by(["kubernetes"], base, {})


def test_irreversible_faults_are_not_drawn_by_a_family_s_name() -> None:
    """Whoever wants one has to write it down; and then every run needs the permission."""
    from chaosday.registry import members

    lasting = {kind for kind, model in members("faults").items() if getattr(model, "irreversible", False)}
    base = Base("small", EXPERIMENT | {"targets": EXPERIMENT["targets"] | {"cloud": {"kind": "aws_account"}}}, ())
    found = {each.fault["kind"] for each in allowed_by(["*"], base, {})}
    assert lasting and not lasting & found


def test_each_way_of_being_smaller_takes_one_thing_away() -> None:
    """Fewer faults, fewer clients, shorter, later, a smaller dose: all of them, and the fewest faults first."""
    schedule = [{"at_s": 0.2, "fault": DELAY}, {"at_s": 1.0, "fault": KILL}]
    experiment = {**EXPERIMENT, "faults": schedule, "actions": [{"kind": "redis.promote", "target": "store"}]}
    words = [said for said, _ in smaller(experiment, ALLOWED)]
    assert words == [
        "without network.proxy.latency", "without process.kill", "without redis.promote", "2 clients",
        "faults on for 1.5 s after the last began", "network.proxy.latency at 1 s", "network.proxy.latency at 0.6 s",
        "network.proxy.latency with delay_ms 10", "network.proxy.latency with delay_ms 20",
    ]  # fmt: skip


def test_making_it_smaller_comes_to_an_end() -> None:
    """Whatever is accepted, there is a smallest: nothing grows back."""
    current: dict[str, Any] = {**EXPERIMENT, "faults": [{"at_s": 0.2, "fault": DELAY}, {"at_s": 1.0, "fault": KILL}]}
    for _ in range(200):
        candidates = [candidate for _, candidate in smaller(current, ALLOWED)]
        if not candidates:
            break
        current = candidates[-1]
    assert not list(smaller(current, ALLOWED))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("explore: {}\n", "experiment: a mapping of fields is needed"),
        ("explore: {allow: 1}\nexperiment: {}\n", "allow"),
        ("explore: {least: 3, of: 2}\nexperiment: {}\n", "3 of 2 runs"),
        ("explore: {}\nexperiment: {targets: {}}\n", "name at least one target"),
        ("explore: {}\nexperiment: {}\nmore: 1\n", "more: beside 'explore'"),
        ("title: x\n", "targets"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Any, text: str, said: str) -> None:
    """The field at fault is named, and the file."""
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(InvalidExperiment, match=said) as raised:
        read_base(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_every_finding_is_a_base() -> None:
    """Its arm's experiment, and the faults of both arms as what may be drawn."""
    for path in sorted((ROOT / "deployments" / "findings").glob("*.yaml")):
        base = read_base(path)
        assert base.lab and base.finding is not None
        assert all(set(fault) >= {"kind", "target"} for fault in base.named)
