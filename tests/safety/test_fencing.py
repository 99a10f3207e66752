"""Fencing leases: one holder a target, whoever races, dies or sleeps."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaosday.clock import ManualClock
from chaosday.errors import Refused
from chaosday.safety.fencing import Fences, FenceToken
from chaosday.safety.holding import Holding

THREADS, ROUNDS = 8, 40


def test_of_many_that_race_one_holds(tmp_path: Path) -> None:
    """Threads and rounds: never two holders at a time, and the number grows with every one of them."""
    fences, inside, numbers = Fences(tmp_path), threading.Semaphore(1), []

    def race(name: int) -> int:
        held = 0
        for _ in range(ROUNDS):
            try:
                token = fences.take("db", f"run-{name}")
            except Refused:
                continue
            assert inside.acquire(blocking=False), "two holders"
            numbers.append(token.number)
            fences.check(token)
            inside.release()
            fences.release(token)
            held += 1
        return held

    with ThreadPoolExecutor(THREADS) as pool:
        held = sum(pool.map(race, range(THREADS)))
    assert held == len(numbers) == len(set(numbers)) > 0
    assert numbers == sorted(numbers)


def _hold_and_die(folder: Path, survive: bool) -> None:
    Fences(folder).take("db", "dead", 3600)
    if not survive:
        signal.raise_signal(signal.SIGKILL)


def test_a_dead_holder_gives_way_and_its_token_is_refused(tmp_path: Path) -> None:
    """Its process is gone, so nobody waits for its hour; its old token is worth nothing afterwards."""
    process = multiprocessing.get_context("fork").Process(target=_hold_and_die, args=(tmp_path, False))
    process.start()
    process.join()
    fences = Fences(tmp_path)
    token = fences.take("db", "living")
    assert token.number == 2
    with pytest.raises(Refused, match="no longer holds"):
        fences.check(FenceToken(target="db", number=1, run="dead"))


def test_a_holder_that_slept_past_its_deadline_is_refused(tmp_path: Path) -> None:
    """A pause longer than the lease loses the hold, even if the sleeper renews when it wakes up."""
    clock = ManualClock()
    fences = Fences(tmp_path, clock)
    sleeper = fences.take("db", "sleeper", 60)
    with pytest.raises(Refused, match="run sleeper holds db for 60 s"):
        fences.take("db", "other")
    clock.advance(61)
    other = fences.take("db", "other", 60)
    for verb in (fences.check, fences.renew):
        with pytest.raises(Refused):
            verb(sleeper)
    fences.release(sleeper)
    fences.check(other)


def test_a_torn_write_loses_no_number(tmp_path: Path) -> None:
    """A last line that was cut short is passed over; a file that is nothing at all is in the way, and says so."""
    fences = Fences(tmp_path)
    fences.release(fences.take("db", "a"))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b'\n{"target": "db", "numb')
    assert fences.take("db", "b").number == 2
    file.write_bytes(b"nonsense")
    with pytest.raises(Refused, match="is no fencing lease"):
        fences.take("db", "c")


def test_a_run_takes_all_of_its_targets_or_none(tmp_path: Path) -> None:
    """One that is held by another run leaves the others free."""
    fences = Fences(tmp_path)
    fences.take("b", "other")
    holding = Holding(fences, "mine")
    with pytest.raises(Refused):
        holding.take(["a", "b", "c"])
    fences.release(fences.take("a", "third"))
    both = Holding(fences, "mine")
    both.take(["a", "c"])
    both.check()
    both.release()
    fences.take("c", "fourth")
