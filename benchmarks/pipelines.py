"""Pipelines under test: how many points a minute, what the proxy costs, and whether the drill's own word can be taken.

``cells_wrong`` counts loaders whose class was written down first and did not come out; ``states_disagreeing`` points
that, run without skipping, are not like their state; ``mutants_missed`` broken harnesses that still say pass. Twins of
dbt and dlt want their toolchains on the PATH (``python -m tests.lab.toolchains``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.findings import FOLDER, arm_of
from chaosday.clock import SystemClock
from chaosday.drills.finding_file import load_finding
from chaosday.drills.kinds import parse_run
from chaosday.drills.pipelines import golden
from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.drill import PipelineDrill, Schedule
from chaosday.drills.pipelines.points import Aim
from chaosday.mechanisms.wire.conversation import Leave
from chaosday.mechanisms.wire.proxy import WireProxy
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import Run
from chaosday.servers import postgres
from chaosday.servers.copies import Commits, Copies

LOADER = """
import os, sys
import psycopg
rows = [(f"{os.environ['DAY']}-{n}", n) for n in range(4)]
how = sys.argv[1]
conflict = " on conflict do nothing" if "key" in how else ""
with psycopg.connect(autocommit="apart" in how) as sql:
    if "ledger" in how:
        taken = sql.execute("insert into ledger values (%s) on conflict do nothing", (os.environ["DAY"],)).rowcount
        if not taken:
            sys.exit()
    if "replace" in how:
        sql.execute("delete from orders where key like %s", (os.environ["DAY"] + "%",))
    if "copy" in how:
        with sql.cursor() as cursor, cursor.copy("copy orders from stdin") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        for row in rows:
            sql.execute("insert into orders values (%s, %s)" + conflict, row)
    if "staged" in how:
        sql.execute("create table staged as select 1 as n")
        sql.execute("drop table staged")
"""
FILE_LOADER = """
import os, sqlite3, sys
shop = sqlite3.connect(sys.argv[1], isolation_level=None)
for n in range(2):
    shop.execute("insert or ignore into orders values (?, ?)", (f"{os.environ['DAY']}-{n}", n))
"""
_TWICE = "duplicated"
EXPECTED: dict[str, dict[str, str]] = {
    "apart": {"kill": _TWICE, "cut": _TWICE, "late": _TWICE, "zombie": _TWICE},
    "apart key": {},
    "together": {"kill": _TWICE, "cut": _TWICE, "late": _TWICE, "zombie": _TWICE},
    "together key": {},
    "together ledger": {},
    # The re-run sees that the day is taken, and leaves; a run that stood still finishes it.
    "apart ledger": {"kill": "lost", "cut": "lost", "late": "lost"},
    "together replace": {"late": _TWICE, "zombie": _TWICE},
    # A late delete takes away what the re-run has loaded.
    "apart replace": {"late": f"{_TWICE}, lost", "zombie": _TWICE},
    "copy apart": {"kill": _TWICE, "cut": _TWICE, "late": _TWICE, "zombie": _TWICE},
    "copy together replace": {"late": _TWICE, "zombie": _TWICE},
    "apart key staged": {"kill": "never recovers, orphan", "cut": "never recovers, orphan", "late": "orphan"},
}
"""By loader and way, the kinds of damage that it has to show: written down before any of them was run."""
WAYS = ("kill", "cut", "late", "zombie")


def run(*, quick: bool) -> dict[str, Any]:
    """``quick`` drills four loaders instead of all, and kills the drill itself five times instead of a hundred."""
    chosen = list(EXPECTED)[:4] if quick else list(EXPECTED)
    loaders = {how: _drilled(how, audit=10_000) for how in chosen}
    cells = {(how, way): found["kinds"].get(way, "") for how, found in loaders.items() for way in WAYS}
    wrong = {f"{how}, {way}": kinds for (how, way), kinds in cells.items() if kinds != EXPECTED[how].get(way, "")}
    sound = [cell for cell in cells if not EXPECTED[cell[0]].get(cell[1])]
    mutants = {name: _caught(mutant) for name, mutant in MUTANTS.items()}
    twins = {file.stem: _told_apart(file) for file in _twins(quick)}
    return {
        "pipelines": ["psycopg", *sorted({name.partition("-")[0] for name in twins})],
        "cells": len(cells),
        "cells_wrong": len(wrong),
        "wrong": wrong,
        "brute_force_points": sum(found["points"] for found in loaders.values()),
        "states_disagreeing": sum(found["disagreeing"] for found in loaders.values()),
        "sound_runs": len(sound),
        "sound_alarms": sum(bool(cells[cell]) for cell in sound),
        "harness_mutants": len(mutants),
        "mutants_missed": sum(not caught for caught in mutants.values()),
        "missed": sorted(name for name, caught in mutants.items() if not caught),
        "twins": len(twins),
        "twins_told_apart": sum(twins.values()),
        "not_told_apart": sorted(name for name, told in twins.items() if not told),
        "points_per_minute": round(statistics.median(found["per_minute"] for found in loaders.values()), 1),
        "proxy_ms_per_statement": _proxy_ms(500 if quick else 5000),
        **_killed(5 if quick else 100),
    }


def _twins(quick: bool) -> list[Path]:
    """The findings of pipelines; ``quick`` leaves out those whose toolchains have environments of their own."""
    files = [file for file in sorted(FOLDER.glob("*.yaml")) if load_finding(file).lab == "pipeline"]
    return [file for file in files if not (quick and load_finding(file).unsound.lab)]


def _told_apart(file: Path) -> bool:
    """Whether the unsound arm shows the damage that was written down for it, and its twin none, judged."""
    finding = load_finding(file)
    unsound, sound = arm_of(file, "unsound"), arm_of(file, "sound")
    found = any(unsound["alarms"].get(name) for name in finding.unsound.anomalies)
    return found and sound["judged"] and not sound["alarms"]


def _data(how: str, folder: Path) -> dict[str, Any]:
    loader = folder / "loader"
    loader.mkdir(exist_ok=True)
    (loader / "loader.py").write_text(LOADER)
    if how == "file":
        return _file_data(loader, folder)
    key = " primary key" if "key" in how else ""
    (folder / "shop.sql").write_text(
        f"create table orders (key text{key}, n int); create table ledger (day text primary key);"
    )
    return {
        "kind": "pipeline",
        "command": [sys.executable, "loader.py", how],
        "folder": str(loader),
        "stores": {"shop": {"from": str(folder / "shop.sql")}},
        "days": [{"variables": {"DAY": "one"}}, {"variables": {"DAY": "two"}}],
        "budget": {"minutes": 120},
    }


def _file_data(loader: Path, folder: Path) -> dict[str, Any]:
    """A drill of a loader of a SQLite file, killed between changes of that."""
    (loader / "loader.py").write_text(FILE_LOADER)
    (folder / "shop.sql").write_text("create table orders (key text primary key, n int);")
    return {
        "kind": "pipeline",
        "command": [sys.executable, "loader.py", "{shop.path}"],
        "folder": str(loader),
        "stores": {"shop": {"type": "sqlite", "file": "shop.db", "from": str(folder / "shop.sql")}},
        "days": [{"variables": {"DAY": "one"}}, {"variables": {"DAY": "two"}}],
        "ways": ["kill", "end"],
        "budget": {"minutes": 120},
    }


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pipelines-") as place:
        folder = Path(place)
        folder.chmod(0o711)
        yield folder


def _drilled(how: str, *, audit: int = 0) -> dict[str, Any]:
    """One drill; every point is run, so that skipping by state is tried as well."""
    with _folder() as folder:
        directory = RunDirectory.create(folder / "runs", "drill", SystemClock())
        with Run(parse_run(_data(how, folder) | {"audit": audit}), directory) as live:
            live.preflight()
            live.baseline()
            began = time.monotonic()
            live.inject()
            live.observe()
            minutes = (time.monotonic() - began) / 60
            live.rollback()
            live.verify()
            live.report()
        said = directory.read_json("observations/pipeline.json")
    kinds: dict[str, set[str]] = {}
    for attempt in said["attempts"]:
        # The end that nobody heard of is a kill after the last point.
        way = attempt["way"].replace("end", "kill")
        kinds.setdefault(way, set()).update(each["kind"] for each in attempt["differences"])
    return {
        "kinds": {way: ", ".join(sorted(found)) for way, found in kinds.items()},
        "points": len(said["attempts"]),
        "disagreeing": len(said["audit"]["disagreeing"]),
        "per_minute": len(said["attempts"]) / minutes,
    }


def _caught(mutant: Any) -> bool:
    """Whether a drill with a broken harness says anything but that all is well."""
    how, patch, *ways = mutant
    with patch():
        return _outcome(how, ways or ["kill", "end"]) != "pass"


def _outcome(how: str, ways: list[str]) -> str:
    with _folder() as folder:
        directory = RunDirectory.create(folder / "runs", "drill", SystemClock())
        with Run(parse_run(_data(how, folder) | {"audit": 3, "ways": ways}), directory) as live:
            return complete(live).outcome.value


def _always_golden(self: Comparator, store: str, copy: str) -> str:
    return self.copies.copy_of(self.value.database_of(store), "golden")


def _after_as_before() -> Any:
    whole = Aim.arrived

    def arrived(self: Aim, ask: Any) -> Leave:
        leave = whole(self, ask)
        if leave is Leave.WITHHOLD:
            self.reached.set()
            return Leave.STOP
        return leave

    return mock.patch.object(Aim, "arrived", arrived)


def _one_late() -> Any:
    whole = Aim.arrived

    def arrived(self: Aim, ask: Any) -> Leave:
        leave = whole(self, ask)
        return Leave.GO if leave is Leave.STOP else leave

    return mock.patch.object(Aim, "arrived", arrived)


def _no_cut() -> Any:
    """Who is to be cut goes on."""
    whole = Aim._hit

    def hit(self: Aim) -> Leave:
        leave = whole(self)
        return Leave.GO if leave is Leave.CUT else leave

    return mock.patch.object(Aim, "_hit", hit)


def _no_rerun() -> Any:
    """The attempt is compared as the kill left it."""
    whole = PipelineDrill.model_validate
    return mock.patch.object(
        PipelineDrill,
        "model_validate",
        lambda data, **how: whole(data, **how).model_copy(update={"schedule": Schedule.model_construct(reruns=0)}),
    )


def _broken(owner: Any, name: str, act: Any) -> Any:
    return lambda: mock.patch.object(owner, name, act)


MUTANTS: dict[str, tuple[Any, ...]] = {
    "every table is equal": ("apart", _broken(Comparator, "digest", lambda *_: (1, ""))),
    "rows never differ": ("apart", _broken(Comparator, "_row_by_row", lambda *_: [])),
    "nothing is compared": ("apart", _broken(Comparator, "compare", lambda *_: [])),
    "no output is wanted": ("apart", _broken(Comparator, "_wanted", lambda *_: False)),
    "golden is compared with itself": ("apart", _broken(Comparator, "database", _always_golden)),
    "after is sent as before": ("apart key", _after_as_before),
    "before goes through": ("apart key", _one_late),
    "no point is aimed at": ("apart key", _broken(Aim, "arrived", lambda *_: Leave.GO)),
    "nothing is restored": ("apart key", _broken(Copies, "restore", lambda *_: None)),
    "no damage is planted": ("apart key", _broken(golden, "look", lambda *_: [])),
    "commits are not counted": ("apart ledger", _broken(Commits, "look", lambda *_: (0, ()))),
    "nothing is run again": ("apart key", _no_rerun),
    "nothing is cut": ("together", _no_cut, "cut"),
    "a held run is ended": ("together", _broken(WireProxy, "release", WireProxy.drop), "late", "zombie"),
}
"""By name, a loader and what to break in the harness, and the ways if not all; a drill of it may not say pass."""


def _proxy_ms(statements: int) -> float:
    """What the proxy adds to a statement, asked by a process of its own."""
    script = (
        "import psycopg, sys, time\n"
        "sql = psycopg.connect(host='127.0.0.1', port=sys.argv[1], user='postgres', autocommit=True)\n"
        "sql.execute('select 1'); began = time.perf_counter()\n"
        "for _ in range(int(sys.argv[2])): sql.execute('select 1')\n"
        "print((time.perf_counter() - began) / int(sys.argv[2]) * 1000)\n"
    )

    def asked(port: int) -> float:
        environment = {**os.environ, "PGPASSWORD": node.password}
        command = [sys.executable, "-c", script, str(port), str(statements)]
        return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    with _folder() as folder:
        node = postgres.primary(folder)
        try:
            with WireProxy(("127.0.0.1", node.port)) as proxy:
                ports = (node.port, proxy.port)
                straight, through = (statistics.median(asked(port) for _ in range(3)) for port in ports)
        finally:
            node.stop()
    return round(through - straight, 3)


_DRILL = """
import sys, json
from pathlib import Path
from chaosday.clock import SystemClock
from chaosday.drills.kinds import parse_run
from chaosday.running.run import Run
from chaosday.running.playing import complete
from chaosday.record.run_directory import RunDirectory
directory = RunDirectory.create(Path(sys.argv[1]), 'drill', SystemClock())
with Run(parse_run(json.loads(sys.argv[2])), directory) as run: complete(run)
"""
_KINDS = ("copies", "processes", "folders", "mounts")


def _killed(times: int) -> dict[str, Any]:
    """The drill itself, killed after a while that differs from time to time: what is left of it, by kind."""
    left: Counter[str] = Counter()
    killed = number = 0
    while killed < times:
        number += 1
        with _folder() as folder:
            script, scratch = folder / "drill.py", folder / "scratch"
            script.write_text(_DRILL)
            scratch.mkdir(mode=0o1777)
            scratch.chmod(0o1777)
            data = json.dumps(_data("apart key" if number % 3 else "file", folder))
            started = subprocess.Popen(
                [sys.executable, str(script), str(folder / "runs"), data],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # What it makes beside its run's folder is seen there, and its processes are known by it.
                env={**os.environ, "TMPDIR": str(scratch)},
            )
            time.sleep(1 + 14 * (number % 10) / 10)
            started.send_signal(signal.SIGKILL)
            # On a quick machine it has ended by itself before: that was no kill.
            killed += started.wait() == -signal.SIGKILL
            left += _left(folder)
    return {
        "drill_killed": killed,
        "residue_after_kills": left.total(),
        "residue": {kind: left[kind] for kind in _KINDS},
    }


def _left(folder: Path) -> Counter[str]:
    """What is there a minute after the end: copies of stores, processes, temporary folders, mounts."""
    until = time.monotonic() + 60
    while True:
        found = Counter(
            {
                "copies": len(list(folder.glob("runs/*/copy"))),
                "processes": sum(_of_ours(place, str(folder).encode()) for place in Path("/proc").glob("[0-9]*")),
                "folders": len(list((folder / "scratch").iterdir())),
                "mounts": Path("/proc/self/mountinfo").read_text().count(str(folder)),
            }
        )
        if not found.total() or time.monotonic() > until:
            return found
        time.sleep(0.2)


def _of_ours(place: Path, folder: bytes) -> bool:
    """Whether a process was started by the drill, or works on its files; a zombie is one too."""
    return any(folder in _read(place / name) for name in ("cmdline", "environ"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
