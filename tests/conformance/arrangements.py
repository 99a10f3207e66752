"""A cheap and real arrangement for each kind of run: what its file says, and how its victim is looked at.

Whoever adds a kind of run adds its arrangement here; every promise is then tested of it unasked.
"""

from __future__ import annotations

import hashlib
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from chaosday.clients.line_server import LineServer
from chaosday.drills.kinds import parse_run
from chaosday.errors import EvidenceUnwritable
from chaosday.progress import Step, listening
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import Run
from chaosday.running.signals import Stopped
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL
from chaosday.undo.ending import marked
from tests.broken.server import Broken

FULL = "the disk is full"
LONG_S = 600
"""A wait that only a stop ends."""
HURT = {"attested", "backup_ended", "disturbing"}
"""What a journal holds once a run is in the middle of what it does."""


@dataclass
class Bench:
    """A folder of files that may be hurt, a store that takes writes, and a database."""

    folder: Path
    node: Node
    store_port: int = 0
    before: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def made(cls, folder: Path, node: Node) -> Iterator[Bench]:
        victims = folder / "victims"
        victims.mkdir()
        (victims / ".chaosday-scratch").touch()
        for number in range(3):
            (victims / f"{number}.csv").write_text(f"{number},x\n" * 300)
        serving = LineServer(Broken(), lambda: "a sound store, 1")
        serving.start()
        bench = cls(folder, node, serving.port)
        bench.before = bench.digests()
        try:
            yield bench
        finally:
            serving.close()

    @property
    def here(self) -> dict[str, Any]:
        """This machine as a target, with leases in a folder of the bench's own."""
        return {"kind": "local_host", "state_dir": str(self.folder / "leases")}

    @property
    def fault(self) -> dict[str, Any]:
        """Damage to one of the files."""
        return {"kind": "data.files", "target": "here", "path": str(self.folder / "victims"), "match": "*.csv"}

    @property
    def database(self) -> dict[str, Any]:
        """The database as a target."""
        node = self.node
        where = {"data_directory": str(node.data), "bin_directory": str(node.bin)}
        return {"kind": "postgresql", "port": node.port, "password": node.password, **where}

    def digests(self) -> dict[str, str]:
        """Every file of the victims, whatever it is called."""
        files = [path for path in (self.folder / "victims").rglob("*") if path.is_file()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    @property
    def target(self) -> PostgreSQL:
        """The same, as a run has it."""
        return PostgreSQL.model_validate(self.database)

    @property
    def address(self) -> str:
        """Where clients find it."""
        node = self.node
        return f"host=127.0.0.1 port={node.port} user=postgres password={node.password} dbname=postgres"

    def copies(self) -> list[str]:
        """Folders of restored copies, which a dead run leaves until somebody recovers it."""
        return [str(path) for path in (self.folder / "runs").glob("*/copy/*")]

    def residue(self) -> list[str]:
        """What is left of any run on this bench."""
        changed = [name for name, digest in self.digests().items() if self.before.get(name) != digest]
        gone = [name for name in self.before if name not in self.digests()]
        leases = [str(path) for path in (self.folder / "leases").glob("cd-*")]
        return [*changed, *gone, *leases, *self.copies(), *_marked(self.folder)]


def _marked(folder: Path) -> list[str]:
    """Processes that still carry the mark of a run below ``folder``."""
    runs = [path.name for path in (folder / "runs").glob("*") if path.is_dir()]
    return [f"process {process.pid} of {run}" for run in runs for process in marked(run)]


def _experiment(bench: Bench) -> dict[str, Any]:
    return {
        "title": "an experiment",
        "targets": {"store": {"kind": "line_store", "port": bench.store_port}, "here": bench.here},
        "workloads": [{"kind": "set", "target": "store", "clients": 1, "rate_per_s": 50}],
        "faults": [{"fault": bench.fault}],
        "checks": [{"kind": "set"}],
        "baseline_s": 0.1,
        "fault_window_s": 0.1,
        "after_s": 0,
        "loss_rate_to_see": 0.9,
        "sight_budget_s": 120,
    }


def _detection(bench: Bench) -> dict[str, Any]:
    victims = bench.folder / "victims"
    counted = f"test $(cat {victims}/*.csv | wc -c) -ge {sum(p.stat().st_size for p in victims.glob('*.csv'))}"
    return {
        "kind": "detection",
        "title": "a detection drill",
        "targets": {"here": bench.here},
        "damage": [{**bench.fault, "damage": "truncate"}],
        "monitors": [{"name": "bytes", "probe": {"kind": "command", "target": "here", "run": counted}}],
        "every_s": 0.1,
        "quiet_s": 0.5,
        "patience_s": 30,
    }


def _restore(bench: Bench) -> dict[str, Any]:
    return {
        "kind": "restore",
        "title": "a restore drill",
        "source": bench.database,
        "before_s": 0.2,
        "after_s": 0.2,
        "loss_rate_to_see": 0.9,
        "sight_budget_s": 120,
    }


def _gameday(bench: Bench) -> dict[str, Any]:
    healthy = {"kind": "command", "target": "here", "run": "true"}
    system = {"name": "s", "owner": "o", "contact": "c", "slo": "99 %", "downtime_cost_per_minute": 1}
    roles = ("leader", "observer", "stopper", "team")
    return {
        "kind": "gameday",
        "gameday": "capture the flag",
        "title": "a game day",
        "targets": {"here": bench.here},
        "systems": [{**system, "monitors": [{"name": "m", "probe": healthy}]}],
        "people": [{"name": role, "role": role, "contact": "c"} for role in roles],
        "abort": [{"when": "it is on fire", "watched_by": "stopper"}],
        "phases": [{"name": "hunt", "kind": "hunt", "pause": False}],
        "flags": {
            "patience_s": 0.3,
            "gap_min_s": 0,
            "gap_max_s": 0.1,
            "options": [{"name": "a file is broken", "where": "files", "fault": bench.fault}],
        },
        "outages": {"first": "2025-07-01", "since": "2026-07-01"},
    }


def _pipeline(bench: Bench) -> dict[str, Any]:
    load = "insert into orders values ('$DAY') on conflict do nothing"
    if bench.folder.is_dir():
        (bench.folder / "orders.sql").write_text("create table orders (day text primary key);\n")
    return {
        "kind": "pipeline",
        "title": "a pipeline drill",
        "command": ["sh", "-c", f'exec {bench.node.bin / "psql"} -qXc "{load}"'],
        "stores": {"shop": {"from": str(bench.folder / "orders.sql")}},
        "days": [{"variables": {"DAY": day}} for day in ("one", "two")],
        "audit": 0,
        "ways": ["kill", "end"],
        "targets": {"here": bench.here},
    }


def _failover(bench: Bench) -> dict[str, Any]:
    """The side that takes writes is the one that has a file; what leads away moves it."""
    one, two = (bench.folder / f"takes-writes-{number}" for number in (1, 2))
    if bench.folder.is_dir():
        one.touch()
    there, back = f"mv -n {one} {two}", f"mv -n {two} {one} || test -e {one}"
    looks = {"timeout_s": 30}
    return {
        "kind": "failover",
        "title": "a failover drill",
        "targets": {
            "shop": {"kind": "sqlite_file", "path": str(bench.folder / "shop.db")},
            "here": bench.here,
            "there": bench.here,
        },
        "workloads": [{"kind": "ledger", "target": "shop", "clients": 1, "rate_per_s": 100}],
        "faults": [{"fault": bench.fault}],
        "actions": [{"kind": "command", "target": "here", "run": there, "undo": back}],
        "back": [{"kind": "command", "target": "here", "run": back, "undo": back}],
        "sides": [
            {"kind": "command", "target": "here", "run": f"test -e {one}", **looks},
            {"kind": "command", "target": "there", "run": f"test -e {two}", **looks},
        ],
        "every_s": 0.1,
        "stay_s": 1,
        "baseline_s": 0.1,
        "fault_window_s": 0.1,
        "after_s": 0,
        "loss_rate_to_see": 0.9,
        "sight_budget_s": 120,
    }


def _waiting_pipeline(data: dict[str, Any]) -> list[str]:
    """The same loader, which waits where it finds that its row is there already: in a re-run."""
    shell, option, line = data.get("command", ["sh", "-c", ""])
    load = line.rpartition('"insert')[2].rstrip('"')
    waits = f"select pg_sleep(case when exists (select from i) then 0 else {LONG_S} end)"
    return [shell, option, line.replace(f"insert{load}", f"with i as (insert{load} returning 1) {waits}")]


ARRANGEMENTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "experiment": _experiment,
    "detection": _detection,
    "restore": _restore,
    "gameday": _gameday,
    "pipeline": _pipeline,
    "failover": _failover,
}


def lasting(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The same run, which does not come to the end of its harm by itself."""
    longer: dict[str, dict[str, Any]] = {
        "experiment": {"fault_window_s": LONG_S},
        "detection": {
            "patience_s": LONG_S,
            "monitors": [{"name": "deaf", "probe": {"kind": "command", "target": "here", "run": "true"}}],
        },
        "restore": {"after_s": LONG_S},
        "failover": {"fault_window_s": LONG_S},
        "gameday": {"flags": {**data.get("flags", {}), "patience_s": LONG_S}},
        "pipeline": {"command": _waiting_pipeline(data)} if kind == "pipeline" else {},
    }
    return data | longer[kind]


def played(parent: Connection, data: dict[str, Any], folder: Path, phase: str) -> None:
    """A run in a process of its own: says so when ``phase`` begins, and waits there for a word before it goes on.

    The word ``FULL`` lets no file of the process grow beyond what the journal has reached, as on a full disk.
    """
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    told: list[str] = []

    def listen(step: Step) -> None:
        if step.phase == phase and not told:
            told.append(phase)
            parent.send(phase)
            if parent.recv() == FULL:
                size_bytes = directory.journal_path.stat().st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))

    directory = RunDirectory(folder)
    try:
        with listening(listen), Run(parse_run(data), directory) as run:
            complete(run)
    except (Stopped, EvidenceUnwritable) as ended:
        os._exit(ended.exit_code)
    os._exit(0)
