"""What a database had acknowledged, and what of it is on the disk when the power goes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from chaosday.model.fault import Fault
from chaosday.record.journal import Journal
from chaosday.registry import member
from chaosday.running.lifecycle import Lifecycle
from tests.lab.hosts import LabHost
from tests.lab.pool import pool
from tests.lab.power import disk_after_power_cut

pytestmark = pytest.mark.lab
ROWS = 50
COMMITS = f"""
import sqlite3, sys
with sqlite3.connect("/srv/data/ledger/db", isolation_level=None) as db:
    db.execute("pragma journal_mode = delete")
    db.execute("pragma synchronous = " + sys.argv[2])
    db.execute("create table if not exists ledger (id integer primary key, body text)")
    for number in range({ROWS}):
        db.execute("insert into ledger (body) values (?)", (sys.argv[1],))
        print("acknowledged", flush=True)
"""


def _commit(host: LabHost, body: str, synchronous: str = "extra") -> int:
    """How many single-row transactions SQLite acknowledged on the host."""
    host.run(f"cat > /srv/commits.py <<'END'\n{COMMITS}END\n")
    return host.run(f"/usr/bin/python3 /srv/commits.py {body} {synchronous}").count("acknowledged")


def _found(disk: Path, body: str) -> int:
    """How many of those rows are in the database on a disk, which has to be whole."""
    with contextlib.closing(sqlite3.connect(disk / "ledger" / "db")) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        (number,) = db.execute("select count(*) from ledger where body = ?", (body,)).fetchone()
        return int(number)


@pytest.mark.parametrize(
    ("synchronous", "lying", "lost"),
    [
        ("extra", False, range(0, 1)),
        # The last journal's end is a file name that is gone, and FULL does not sync the directory: it may come back
        # and roll the last transaction back (SQLite's manual, PRAGMA synchronous).
        ("full", False, range(0, 2)),
        ("extra", True, range(1, ROWS + 1)),
    ],
)
def test_acknowledged_rows_after_a_power_cut(tmp_path: Path, synchronous: str, lying: bool, lost: range) -> None:
    """A disk that keeps its promise loses what SQLite says it may; one that only says it had synced loses more."""
    lab = pool()
    with lab.victim() as host:
        host.run("mkdir -p /srv/data/ledger && touch /srv/data/ledger/.chaosday-scratch")
        target = lab.target(host)
        fault = member("faults", "storage.lost_fsync").model_validate({"target": "host", "path": "/srv/data/ledger"})
        assert isinstance(fault, Fault)
        try:
            assert _commit(host, "before") == ROWS
            host.run("sync")
            with Lifecycle("run", Journal.create(tmp_path / "journal.jsonl", "run"), {"host": target}) as life:
                if lying:
                    plan = life.plan(fault)
                    life.arm(plan)
                    life.inject(plan)
                    assert life.attest(plan).bit
                assert _commit(host, "during", synchronous) == ROWS
                with disk_after_power_cut(host) as disk:
                    assert _found(disk, "before") == ROWS
                    assert ROWS - _found(disk, "during") in lost
        finally:
            target.close()
            host.run("rm -rf /srv/data/ledger")
