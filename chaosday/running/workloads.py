"""The clients of a run: its workloads, each at work in a process of its own, and how fast they go."""

from __future__ import annotations

from chaosday.clients.driver import HALT_GRACE_S, STOP_GRACE_S, Driver
from chaosday.clock import Clock
from chaosday.model.target import Target
from chaosday.model.workload import Workload
from chaosday.processes.limits.within import within
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.live_rate import LiveRate
from chaosday.statistics import operations_needed

SEVERAL = 2
PREPARE_S = 120.0


def several(loss_rate: float) -> int:
    """So many acknowledged operations that a check will have enough to see the loss rate by.

    Checks count what was kept, and clients also read and change it: an operation for a thing would be too few.
    """
    return SEVERAL * operations_needed(loss_rate)


class Workloads:
    """Prepared, started, stopped and cleaned up by the run that they belong to."""

    def __init__(self, directory: RunDirectory, journal: Journal, clock: Clock, seed: int) -> None:
        self.prepared: list[Workload] = []
        self.drivers: list[Driver] = []
        self._directory, self._journal, self._seed = directory, journal, seed
        self._rate = LiveRate(directory.history_directory, clock)

    def start(self, workload: Workload, target: Target) -> None:
        """Make what it writes to, under names of this run's own, and let its clients begin."""
        mine = workload.model_copy(update={"scope": self._directory.token})
        self._journal.append("prepare", workload=mine.model_dump(mode="json"))
        self.prepared.append(mine)
        within(PREPARE_S, lambda: mine.prepare(target), f"preparing the {mine.kind} workload")
        self.drivers.append(Driver.begin(mine, target, self._directory.history_directory, self._seed))
        self._journal.append("workloads_started", pids=[driver.pid for driver in self.drivers])

    def alive(self) -> bool:
        """Whether any of them still works."""
        return any(driver.alive() for driver in self.drivers)

    def lost(self) -> str:
        """What a workload that ended by itself has to say; empty while all of them are at work."""
        dead = next((each for each in self.drivers if each.working() and not each.alive()), None)
        if dead is None:
            return ""
        return f"the {dead.workload.kind} workload ended by itself; see history/{dead.workload.kind}.driver.log"

    def stop(self, *, at_once: bool) -> list[str]:
        """Ask them to stop, and say what was wrong with how they did; any number of times."""
        grace_s = HALT_GRACE_S if at_once else STOP_GRACE_S
        return [wrong for driver in self.drivers if (wrong := driver.stop(grace_s))]

    def acknowledged(self) -> int:
        """Operations that were acknowledged so far."""
        return self._rate.total()

    def per_s(self) -> float:
        """Acknowledged operations a second, now."""
        return self._rate.per_s()
