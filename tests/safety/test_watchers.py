"""Watchers cannot be hung, blinded or killed: what they watch over is stopped instead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.model.experiment import Guard, Settle
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target
from chaosday.running.settling import settled
from chaosday.safety import halting
from chaosday.safety.fencing import Fences
from chaosday.safety.guarding import Guarding
from chaosday.safety.halting import HaltReading, HaltWatch, halted_by
from chaosday.safety.holding import Holding
from chaosday.safety.reading import Reader, collected

pytestmark = pytest.mark.kernel

LONG_S = 300.0
NEVER = threading.Event()


class Nothing(Target):
    """A target that nobody asks."""

    kind: str = "nothing"

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {}

    def reach(self) -> str:
        return "here"


class Ill(Probe):
    """A probe that does what it is told instead of reading."""

    kind: str = "ill"
    act: Callable[[], ProbeReading]
    patience_s: float = 0.05

    def limit_s(self) -> float:
        return self.patience_s

    def read(self, target: Target) -> ProbeReading:
        return self.act()


def hang() -> ProbeReading:
    NEVER.wait()
    raise AssertionError("never")


def wrong() -> ProbeReading:
    raise KeyError("what nobody\nforesaw")


def exiting() -> ProbeReading:
    raise SystemExit(3)


def endless() -> ProbeReading:
    return ProbeReading(probe="ill", healthy=True, words="x" * 10_000_000)


ILL = {"hangs": hang, "raises": wrong, "exits": exiting}


def guard(act: Callable[[], ProbeReading], **fields: Any) -> Guard:
    return Guard.model_construct(probe=Ill(act=act, target="t"), breaches=2, window=3, every_s=0.01, **fields)


@pytest.mark.parametrize("how", list(ILL))
def test_a_reading_that_does_not_come_is_a_breach(how: str) -> None:
    """A guard whose probe hangs, raises or ends its thread trips, and says why."""
    guarding = Guarding([guard(ILL[how])], {"t": Nothing()})
    guarding.start()
    assert guarding.tripped.wait(LONG_S)
    assert "2 breaches" in guarding.why and "\n" not in guarding.why
    guarding.stop()


@pytest.mark.parametrize("how", list(ILL))
def test_settling_ends(how: str) -> None:
    """The settle phase ends unsettled after its time-out, whatever the probe does."""
    done = settled(Settle(timeout_s=0.2, every_s=0.01), Ill(act=ILL[how]), Nothing(), SystemClock())
    assert not done.settled and done.attempts >= 1


def test_a_hanging_probe_holds_one_thread() -> None:
    """While a reading hangs no other is begun: a silent target cannot fill the process with threads."""
    reader = Reader(Ill(act=hang), Nothing())
    before = threading.active_count()
    assert [reader.read().healthy for _ in range(5)] == [None] * 5
    assert threading.active_count() <= before + 1


def test_what_a_target_says_is_kept_short() -> None:
    """Ten million letters do not reach the journal; evidence that does not come is an error in one line."""
    assert len(Reader(Ill(act=endless, patience_s=60), Nothing()).read().words) < 1000
    with pytest.raises(Exception, match="cannot be understood") as raised:
        collected(Ill(act=wrong, patience_s=60), Nothing(), Path())
    assert "\n" not in str(raised.value)


class IllSwitch:
    local = False

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    def reading(self) -> HaltReading:
        self._act()
        return HaltReading(halted=False)


@pytest.mark.parametrize("how", list(ILL))
def test_a_switch_that_cannot_be_read_is_on(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs, raises or ends its thread halts the runs that watch it, and what would begin."""
    monkeypatch.setattr(halting, "ANSWER_S", 0.05)
    assert "which means halted" in halted_by([IllSwitch(ILL[how])])
    stopped: list[str] = []
    watch = HaltWatch([IllSwitch(ILL[how])], stopped.append, every_s=0.01)
    watch.start()
    until = time.monotonic() + LONG_S
    while not stopped and time.monotonic() < until:
        time.sleep(0.01)
    watch.stop()
    assert stopped


def killed(watcher: Any, threads: list[threading.Thread]) -> str:
    """What a watcher says after its threads are gone."""
    for thread in threads:
        thread.join(LONG_S)
    return str(watcher.blind())


def test_a_watcher_that_died_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each watcher whose thread is gone, by whatever way, says so to whoever relies on it; one at work is silent."""

    def dead(*_: Any) -> None:
        """The thread ends at once, as one does whose interpreter failed under it."""

    at_work = Guarding([guard(hang)], {"t": Nothing()})
    assert at_work.blind() == ""
    monkeypatch.setattr(Guarding, "_watch", dead)
    monkeypatch.setattr(HaltWatch, "_watch", dead)
    monkeypatch.setattr(Holding, "_renew", dead)
    guarding = Guarding([guard(hang)], {"t": Nothing()})
    guarding.start()
    assert "nobody looks" in killed(guarding, guarding._threads)
    watch = HaltWatch([IllSwitch(lambda: None)], lambda words: None)
    watch.start()
    assert "means halted" in killed(watch, watch._threads)
    holding = Holding(Fences(tmp_path), "r")
    holding.take(["x"])
    assert holding._thread is not None and "ended by itself" in killed(holding, [holding._thread])
    for each in (guarding, watch):
        each.stop()
        assert each.blind() == ""
    holding.release()


def test_a_fence_that_makes_no_sense_is_a_hold_that_was_lost(tmp_path: Path) -> None:
    """What somebody wrote into the file of a hold does not end its renewal in silence."""
    holding = Holding(Fences(tmp_path), "r", ttl_s=0.3)
    holding.take(["x"])
    for file in tmp_path.glob("*.json"):
        said = file.read_text().strip().splitlines()[-1]
        file.write_text(said.replace('"pid":', '"pid":[],"was":').replace('"deadline_ns":', '"deadline_ns":[],"was_":'))
    until = time.monotonic() + LONG_S
    while not holding.lost and time.monotonic() < until:
        time.sleep(0.01)
    assert holding.lost
    holding.release()
