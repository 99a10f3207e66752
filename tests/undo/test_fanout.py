"""One act on many targets: bounded, with an outcome for each, and none holds up the others."""

from __future__ import annotations

import threading

import pytest

from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.undo.fanout import fan_out


def test_every_target_has_its_own_outcome() -> None:
    """Results and errors come back under their own names, in the targets' order."""

    def act(name: str, number: int) -> int:
        if number % 3 == 0:
            raise AccessDenied(f"{name} says no")
        return number * 2

    outcomes = fan_out({f"h{n}": n for n in range(9)}, act, at_once=4)
    assert list(outcomes) == [f"h{n}" for n in range(9)]
    assert [outcome.result for outcome in outcomes.values() if outcome.ok] == [2, 4, 8, 10, 14, 16]
    assert all(isinstance(outcomes[f"h{n}"].error, AccessDenied) for n in (0, 3, 6))


def test_never_more_than_at_once() -> None:
    """The bound holds, and is reached."""
    lock, now, most = threading.Lock(), [0], [0]
    three = threading.Barrier(3, timeout=120)

    def act(name: str, target: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        three.wait()
        with lock:
            now[0] -= 1

    outcomes = fan_out(dict.fromkeys("abcdef", 0), act, at_once=3)
    assert all(outcome.ok for outcome in outcomes.values())
    assert most == [3]


def test_dead_targets_hold_nobody() -> None:
    """As many targets that never answer as there are places: the others are done all the same."""
    never = threading.Event()

    def act(name: str, dead: bool) -> str:
        if dead:
            never.wait(60)
        return name

    outcomes = fan_out({"d1": True, "d2": True, "a": False, "b": False}, act, at_once=2, deadline_s=0.2)
    assert [outcome.ok for outcome in outcomes.values()] == [False, False, True, True]
    assert isinstance(outcomes["d1"].error, TargetUnreachable)
    never.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_is_no_outcome() -> None:
    """An error that nobody raised on purpose is raised to the caller, after the others are done."""
    done = []

    def act(name: str, target: int) -> None:
        if name == "a":
            raise ZeroDivisionError
        done.append(name)

    with pytest.raises(ZeroDivisionError):
        fan_out(dict.fromkeys("abc", 0), act, at_once=1)
    for thread in threading.enumerate():
        if thread.name.startswith("fan-out"):
            thread.join()
    assert done == ["b", "c"]
