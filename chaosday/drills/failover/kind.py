"""The failover drill as a kind of run: leave, verify, return, verify."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from chaosday.checks.failover import FailoverCheck
from chaosday.checks.ledger import LedgerCheck
from chaosday.drills.experiment.kind import ExperimentKind, length_of
from chaosday.drills.failover.drill import AWAY, HOME, STATIONS, FailoverDrill
from chaosday.drills.failover.sides import Sides
from chaosday.errors import EvidenceMissing
from chaosday.model.history import OK, History
from chaosday.model.intent import Intent
from chaosday.model.probe import LONG_S
from chaosday.processes.limits.within import within
from chaosday.record.run_directory import RunDirectory
from chaosday.running.kind import Judgement, Table
from chaosday.running.live import LiveRun

HEARD_S = 60.0
"""How long every side has for its first answer, on a busy machine."""
LEDGER = "ledger"


class FailoverKind(ExperimentKind):
    """What ``failover.drill`` describes: an experiment that stops twice to look."""

    kind = "failover"
    value_type = FailoverDrill
    has_placebo = False
    value: FailoverDrill

    def __init__(self, value: FailoverDrill) -> None:
        super().__init__(value)
        self._sides: Sides | None = None
        self._home = ""
        self._stations: list[dict[str, Any]] = []
        self._ways: dict[str, tuple[int, int]] = {}
        """From when until when one was on the way to a station, in nanoseconds."""

    def intent(self) -> Intent:
        said = super().intent()
        return Intent(**{**vars(said), "length_s": length_of(self.value) + 2 * self.value.stay_s})

    def holds(self, run: LiveRun) -> set[str]:
        """What faults hurt, and what actions turn over."""
        value = self.value
        acted = {each.target for field in value.acting for each in getattr(value, field)}
        return run.fences() | {name for each in acted for name in run.targets[each].fences([run.targets[each].kind])}

    def baseline(self, run: LiveRun) -> None:
        """As an experiment's; and one side, and no other, takes writes before anything is done."""
        super().baseline(run)
        if not run.ready:
            return
        self._sides = sides = Sides(self.value.sides, run.targets, run.clock, self.value.every_s)
        before = sides.looks()
        run.wait("baseline", HEARD_S, "looking at the sides", lambda: _looked(before, sides.looks()))
        opened = sides.open()
        if len(opened) != 1:
            run.fall_short(f"sides: one and no other has to take writes at first, and what does is {_named(opened)}")
            return
        self._home = opened[0]

    def inject(self, run: LiveRun) -> None:
        self._leave(run, AWAY)
        # Without a fault the actions alone are what is done to it.
        run.injected = True
        super().inject(run)

    def observe(self, run: LiveRun) -> None:
        super().observe(run)
        if not run.over():
            self._station(run, "observe", AWAY)

    def repair(self, run: LiveRun) -> None:
        """The old side joins again; then home, and the same is looked at there."""
        super().repair(run)
        self._leave(run, HOME)
        if self._stations:
            run.act("rollback", self.value.back)
            self._station(run, "rollback", HOME)
        if self._sides is not None:
            self._sides.stop()

    def collect(self, run: LiveRun) -> None:
        said = self._sides.said() if self._sides is not None else {"sides": {}, "split": [], "splits": 0}
        said |= {"stations": self._stations, "ways": list(STATIONS), "refused_s": {}}
        run.keep("failover", said)
        super().collect(run)
        history = run.directory.evidence().history()
        run.keep("failover", said | {"refused_s": {way: refused_s(history, *at) for way, at in self._ways.items()}})

    def judgement(self) -> Judgement:
        value, stores = self.value, self._stores()
        stations = [LedgerCheck(store=stores[name], as_of=name) for name in STATIONS]
        checks = [*value.checks, *stations, FailoverCheck(refused_at_most_s=value.refused_at_most_s)]
        return Judgement(**{**vars(super().judgement()), "checks": checks})

    def tables(self, verb: str, run: LiveRun) -> list[Table]:
        return self.shown(run.directory) if verb == "verify" else []

    @classmethod
    def shown(cls, directory: RunDirectory) -> list[Table]:
        """Station by station: who took writes there, and how long nobody did on the way."""
        try:
            said = directory.read_json("observations/failover.json")
        except EvidenceMissing:
            return []
        rows = [
            {
                "station": each["name"],
                "takes writes": _named(each["open"]),
                "no write acknowledged for": f"{said['refused_s'].get(each['name'], 0):.1f} s",
                "rows read back": each["rows"],
            }
            for each in said["stations"]
        ]
        return [Table("stations", rows, f"Stations; two sides took writes at once {said['splits']} times")]

    def close(self) -> None:
        if self._sides is not None:
            self._sides.stop()
        super().close()

    def _leave(self, run: LiveRun, station: str) -> None:
        self._ways[station] = (run.clock.monotonic_ns(), 0)
        self._answers = self._sides.answers() if self._sides is not None else {}

    def _station(self, run: LiveRun, phase: str, name: str) -> None:
        """Wait until writes are taken again, let clients work here, see who takes writes, and read what is there.

        Where the run has to end, this station was not come to.
        """
        sides = self._sides
        assert sides is not None
        if self.value.settle.probe is not None:
            self.settle(run)
        run.wait(phase, self.value.stay_s, f"clients work {name}")
        # A look that is under way may have begun before it moved: the next one has not.
        before = sides.looks()
        run.wait(phase, HEARD_S, "looking at the sides", lambda: _looked(before, sides.looks()))
        if run.over():
            return
        cut_ns, answers = run.clock.monotonic_ns(), sides.answers()
        station = {
            "name": name, "cut_ns": cut_ns, "left": self._home, "meant": self._home if name == HOME else "",
            "open": sides.open(), "rows": 0,
            "silent": [side for side, count in answers.items() if count == self._answers.get(side, 0)],
        }  # fmt: skip
        self._ways[name] = (self._ways[name][0], cut_ns)
        run.journal.append("station", **station)
        run.say(phase, f"reading back what is there {name}")
        found = run.guarded(partial(self._read, run)) or {}
        for rows in found.values():
            run.directory.write_rows(self._stores()[name], rows)
            station["rows"] = len(rows)
        self._stations.append(station)

    def _read(self, run: LiveRun) -> dict[str, Any]:
        ledger = next(each.workload for each in run.workloads.drivers if each.workload.kind == LEDGER)
        what = "reading back what the ledger workload wrote"
        return within(LONG_S, lambda: ledger.read_back(run.targets[ledger.target], {}), what)

    def _stores(self) -> dict[str, str]:
        ledger = next(each for each in self.value.workloads if each.kind == LEDGER)
        return {name: f"{ledger.store}_{name}" for name in STATIONS}


def refused_s(history: History, from_ns: int, to_ns: int) -> float:
    """The longest time within these bounds in which no operation was acknowledged, in seconds."""
    ends = history.ends_ns()[history.statuses() == OK]
    ends = np.sort(ends[(ends >= from_ns) & (ends <= to_ns)])
    gaps = np.diff(np.concatenate([[from_ns], ends, [max(to_ns, from_ns)]]))
    return round(float(gaps.max()) / 1e9, 3)


def _looked(before: dict[str, int], now: dict[str, int]) -> bool:
    return all(now[side] >= looks + 2 for side, looks in before.items())


def _named(sides: list[str]) -> str:
    return " and ".join(sides) or "none"
