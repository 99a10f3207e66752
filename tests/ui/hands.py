"""Hands on runs that Prefect's worker carries out: to start them in a phase that is long, and to do things to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg

from chaosday.record.journal import open_faults, read
from chaosday.record.owner import owner_lives
from chaosday.servers.postgres import Node
from tests.leftovers import processes_of
from tests.ui.serving import Served

PATIENCE_S = 900
LONG_S = 300
LATENCY = {"kind": "network.proxy.latency", "delay_ms": 5}
# A phase that is long: what there is in the run's journal or directory once it has begun, and what makes it long.
PHASES: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline": ("workloads_started", {"baseline_s": LONG_S}),
    "inject": (
        "attested",
        {"faults": [{"fault": LATENCY}, {"at_s": LONG_S, "fault": {"kind": "network.proxy.reset"}}]},
    ),
    "hold": ("attested", {"fault_window_s": LONG_S}),
    "rollback": ("settled", {"after_s": LONG_S}),
    "verify": (
        "history.parquet",
        {"evidence": [{"kind": "postgresql.query", "query": "select 1 from pg_sleep(600)", "timeout_ms": 600_000}]},
    ),
}
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def until(holds: Callable[[], Any], what: str) -> Any:
    """What ``holds`` says, once it says something."""
    end = time.monotonic() + PATIENCE_S
    while not (said := holds()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.2)
    return said


@dataclass(frozen=True)
class Started:
    """A flow run on a real worker, and what it leaves in its run directory."""

    served: Served
    id: str

    def state(self) -> dict[str, Any]:
        """As the server has it."""
        (found,) = self.served.call("/flow_runs/filter", {"flow_runs": {"id": {"any_": [self.id]}}})
        state: dict[str, Any] = found["state"]
        return state

    def ended(self) -> dict[str, Any]:
        """The state in which it ended, once its process has no more to say about it."""

        def final() -> dict[str, Any] | None:
            on = any(self._is_on(directory) for directory in self.directories())
            state = self.state()
            return state if state["type"] in FINAL and not on else None

        return dict(until(final, "the flow run ends"))

    def directories(self) -> list[Path]:
        """Every run directory that was made for it."""
        notes = self.served.runs.glob("*/flow_run.json")
        return [note.parent for note in notes if orjson.loads(note.read_bytes())["id"] == self.id]

    def directory(self) -> Path:
        """Its run directory, once it has one."""
        (found,) = until(self.directories, "a run directory")
        return Path(found)

    def events(self) -> list[str]:
        """What its journal says, by name."""
        path = self.directory() / "journal.jsonl"
        return [record.event for record in read(path).records] if path.is_file() else []

    def reached(self, phase: str) -> None:
        """Wait until it is in this phase."""
        sign, _ = PHASES[phase]
        until(lambda: sign in self.events() or (self.directory() / sign).is_file(), f"it reaches {phase}")

    def verdict(self) -> dict[str, Any]:
        """Its verdict, once it has one; the report has to be there as well."""
        path = self.directory() / "verdict.json"
        until(path.is_file, "a verdict")
        until((self.directory() / "report.html").is_file, "a report")
        verdict: dict[str, Any] = orjson.loads(path.read_bytes())
        return verdict

    def _is_on(self, directory: Path) -> bool:
        reading = read(directory / "journal.jsonl") if (directory / "journal.jsonl").is_file() else None
        return bool(reading and reading.records and owner_lives(reading))

    def process(self) -> psutil.Process:
        """The flow's process."""
        return psutil.Process(read(self.directory() / "journal.jsonl").records[0].data["pid"])

    def left(self) -> list[str]:
        """Processes that carry its mark, and faults that its journal holds open."""
        directory = self.directory()
        faults = [f"{each.fault['kind']} {each.stage}" for each in open_faults(read(directory / "journal.jsonl"))]
        return faults + [" ".join(each.cmdline()) for each in processes_of(directory.name)]


class Hands:
    """Starts runs of the ad-hoc form's deployment on a database, and does things to them."""

    def __init__(self, served: Served, primary: Node) -> None:
        self.served, self._primary = served, primary

    def start(self, phase: str, **fields: Any) -> Started:
        """A real run of an experiment whose ``phase`` is long, or as ``fields`` of it say."""
        experiment: dict[str, Any] = {
            "title": f"A long {phase}",
            "targets": {
                "database": {"kind": "postgresql", "database": "postgres", "via": "door", **self._login()},
                "door": {"kind": "proxy_route", "upstream": f"127.0.0.1:{self._primary.port}"},
            },
            "workloads": [{"kind": "ledger", "target": "database"}],
            "faults": [{"fault": LATENCY}],
            "fault_window_s": 1,
            "settle": {"probe": {"kind": "postgresql.write", "target": "database"}},
            "checks": [{"kind": "ledger"}],
            "baseline_s": 1,
            "after_s": 1,
        }
        experiment |= PHASES[phase][1] | fields
        experiment["faults"] = [each | {"fault": each["fault"] | {"target": "door"}} for each in experiment["faults"]]
        experiment["evidence"] = [each | {"target": "database"} for each in experiment.get("evidence", [])]
        return self.submit("clients lose their connections", {"experiment": experiment})

    def form(self) -> dict[str, Any]:
        """What somebody fills in for a real run of a few seconds."""
        return {
            "database": self._login(),
            "fault": LATENCY,
            "durations": {"baseline_s": 1, "fault_s": 1, "aftermath_s": 1},
            "checks": {"ledger": True, "bank": False},
            "dry_run": False,
        }

    def submit(self, deployment: str, parameters: dict[str, Any], **more: Any) -> Started:
        """A flow run of a deployment, as the API takes it."""
        number = self.served.deployment(deployment)
        made = self.served.call(f"/deployments/{number}/create_flow_run", {"parameters": parameters, **more})
        return Started(self.served, str(made["id"]))

    def set_state(self, run: Started, kind: str, name: str, **details: Any) -> None:
        """What the UI's buttons ask of the server."""
        state = {"type": kind, "name": name, "state_details": details}
        self.served.call(f"/flow_runs/{run.id}/set_state", {"state": state})

    def suspend(self, run: Started) -> None:
        """As ``suspend_flow_run`` does."""
        until_s = time.time() + 3600
        timeout = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until_s))
        self.set_state(run, "PAUSED", "Suspended", pause_timeout=timeout, pause_reschedule=True, pause_key="k")

    def cancel(self, run: Started) -> None:
        """As the button does."""
        self.set_state(run, "CANCELLING", "Cancelling")

    def _login(self) -> dict[str, Any]:
        # The password is the worker's to know: in a parameter it would be refused.
        return {"host": "127.0.0.1", "port": self._primary.port, "user": "postgres"}

    def tables(self, run: Started) -> list[str]:
        """What the run's workloads have made in the database and not taken away."""
        token = run.directory().name.rsplit("-", 1)[-1]
        address = f"host=127.0.0.1 port={self._primary.port} user=postgres password={self._primary.password}"
        with psycopg.connect(f"{address} dbname=postgres") as connection:
            found = connection.execute(
                "select tablename from pg_tables where schemaname = 'chaosday' and tablename like %s",
                [f"%{token}%"],
            )
            return [str(row[0]) for row in found]


def ended_inconclusive(run: Started, words: str = "") -> None:
    """Inconclusive, with this reason and a report, and nothing left anywhere."""
    verdict = run.verdict()
    assert verdict["outcome"] == "inconclusive", verdict
    assert any(words in reason for reason in verdict["reasons"]), verdict["reasons"]
    until(lambda: not run.left(), f"nothing is left: {run.left()}")
