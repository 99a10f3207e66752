"""What explorations and sweeps stand on: the folder and the journal of their own, the runs, and the budget."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chaosday.clock import Clock
from chaosday.drills.exploring.base import Base, System
from chaosday.drills.exploring.searching import Budget, Tell
from chaosday.drills.exploring.trials import Trials
from chaosday.processes.umask import ours_alone
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.safety.permission import Permission

FOLDER = "explorations"
"""Below the folder of runs, so that nobody takes an exploration for one."""


@dataclass(frozen=True)
class Asked:
    """What somebody asked for: how long and how many runs at most, by which seed, and what of the runs is kept."""

    seed: int = 1
    budget_s: float = 1800
    runs: int = 10_000
    keep: bool = False


@dataclass(frozen=True)
class Ground:
    """Made by ``ground``."""

    base: Base
    system: System
    folder: RunDirectory
    journal: Journal
    trials: Trials
    budget: Budget
    seed: int
    tell: Tell
    spent_s: Callable[[], float]


@contextlib.contextmanager
def ground(
    base: Base, system: System, root: Path, asked: Asked, *, permission: Callable[[], Permission], clock: Clock,
    tell: Tell,
) -> Iterator[Ground]:  # fmt: skip
    """A folder below ``root``, where the runs themselves are kept; the journal begins with what was asked."""
    with ours_alone():
        began_ns = clock.monotonic_ns()
        folder = RunDirectory.create(root / FOLDER, base.title, clock)
        journal = Journal.create(folder.journal_path, folder.run, clock=clock)
        try:
            journal.append("explore", title=base.title, seed=asked.seed, budget_s=asked.budget_s, runs=asked.runs)
            trials = Trials(
                base, system, root, journal, permission=permission, clock=clock, seed=asked.seed, keep=asked.keep
            )
            budget = Budget(clock, asked.budget_s, asked.runs)
            yield Ground(
                base, system, folder, journal, trials, budget, asked.seed, tell,
                lambda: (clock.monotonic_ns() - began_ns) / 1e9,
            )  # fmt: skip
        finally:
            journal.close()
