"""What people and accidents do to a run through Prefect: it heals, it is judged once, and it says what happened.

Each takes minutes of a real server and worker: ``pytest -m slow tests/ui/test_in_prefects_hands.py``.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg
import pytest
from pydantic import SecretStr

from chaosday.drills.leftovers import remove_leftovers
from chaosday.record.journal import open_faults, read
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL
from tests.leftovers import processes_of
from tests.ui.conftest import Served

pytestmark = [pytest.mark.lab, pytest.mark.slow]
PATIENCE_S = 240
LONG_S = 120
# What a run says in its journal when a phase has begun, and the duration that makes the phase long.
PHASES = {
    "baseline": ("workloads_started", "baseline_s"),
    "observe": ("attested", "fault_s"),
    "rollback": ("settled", "aftermath_s"),
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
        """The state in which it ended."""

        def final() -> dict[str, Any] | None:
            state = self.state()
            return state if state["type"] in FINAL else None

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
        until(lambda: PHASES[phase][0] in self.events(), f"it reaches {phase}")

    def verdict(self) -> dict[str, Any]:
        """Its verdict, once it has one; the report has to be there as well."""
        path = self.directory() / "verdict.json"
        until(path.is_file, "a verdict")
        until((self.directory() / "report.html").is_file, "a report")
        verdict: dict[str, Any] = orjson.loads(path.read_bytes())
        return verdict

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

    def start(self, phase: str = "", **more: Any) -> Started:
        """A real run whose ``phase`` is long."""
        durations = {"baseline_s": 1, "fault_s": 1, "aftermath_s": 1} | ({PHASES[phase][1]: LONG_S} if phase else {})
        fields = {
            "host": "127.0.0.1",
            "port": self._primary.port,
            "user": "postgres",
            "password": self._primary.password,
        }
        parameters = {
            "database": fields,
            "fault": {"kind": "network.proxy.latency", "delay_ms": 5},
            "durations": durations,
            "checks": {"ledger": True, "bank": False},
            "dry_run": False,
        }
        body = {"parameters": parameters | more.pop("parameters", {}), **more}
        made = self.served.call(f"/deployments/{self.served.deployment('connections')}/create_flow_run", body)
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

    def recover(self) -> None:
        """The janitor, as its schedule starts it."""
        made = self.served.call(f"/deployments/{self.served.deployment('recover')}/create_flow_run", {})
        assert Started(self.served, str(made["id"])).ended()["type"] == "COMPLETED"

    def database(self) -> PostgreSQL:
        """With its password."""
        return PostgreSQL(port=self._primary.port, user="postgres", password=SecretStr(self._primary.password))

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


@pytest.fixture(scope="session")
def hands(served: Served, pair: tuple[Node, Node]) -> Hands:
    """One for all."""
    return Hands(served, pair[0])


def _ended_by(run: Started, words: str) -> None:
    """Inconclusive, with this reason and a report, and nothing left anywhere."""
    verdict = run.verdict()
    assert verdict["outcome"] == "inconclusive", verdict
    assert any(words in reason for reason in verdict["reasons"]), verdict["reasons"]
    until(lambda: not run.left(), f"nothing is left: {run.left()}")


@pytest.mark.parametrize(
    "phase",
    ["observe", "baseline", "rollback"],
)
def test_a_cancelled_run_is_judged(hands: Hands, phase: str) -> None:
    """It ends by itself, and the flow run is Cancelled under the name of the verdict."""
    run = hands.start(phase)
    run.reached(phase)
    hands.cancel(run)
    state = run.ended()
    _ended_by(run, "")
    assert not hands.tables(run)
    assert (state["type"], run.directories()) == ("CANCELLED", [run.directory()])


@pytest.mark.parametrize(
    "phase",
    ["observe", "baseline", "rollback"],
)
def test_a_suspended_run_is_judged_and_cannot_be_resumed(hands: Hands, phase: str) -> None:
    """A run cannot be held with a fault on: it ends, says so, and its flow run has ended."""
    run = hands.start(phase)
    run.reached(phase)
    hands.suspend(run)
    _ended_by(run, "cancelled by a suspension")
    until(lambda: not hands.tables(run), "no table is left")
    state = run.ended()
    assert (state["type"], state["name"]) == ("FAILED", "inconclusive")
    assert len(run.directories()) == 1


def test_a_pause_from_outside_is_said(hands: Hands) -> None:
    """It goes on, and says so in its journal and where it ends."""
    run = hands.start(parameters={"durations": {"baseline_s": 1, "fault_s": 8, "aftermath_s": 1}})
    run.reached("observe")
    hands.set_state(run, "PAUSED", "Paused", pause_timeout="2100-01-01T00:00:00Z")
    state = run.ended()
    assert run.verdict()["outcome"] in ("pass", "inconclusive")
    assert "pause_ignored" in run.events() and "pause set from outside was ignored" in state["message"]


def test_retries_do_not_retry_a_verdict(hands: Hands) -> None:
    """Set on the run by whoever starts it, and asked for by hand afterwards: one verdict, one injection, and words."""
    nowhere = {"database": {"host": "127.0.0.1", "port": 1}}
    run = hands.start(parameters=nowhere, empirical_policy={"retries": 2, "retry_delay": 0})
    first = run.ended()
    assert (first["type"], first["name"]) == ("FAILED", "inconclusive")
    hands.set_state(run, "SCHEDULED", "AwaitingRetry", scheduled_time="2020-01-01T00:00:00Z")
    again = until(lambda: state if (state := run.state())["id"] != first["id"] and state["type"] in FINAL else None, "")
    assert again["name"] == "inconclusive" and "a verdict is final" in again["message"]
    assert len(run.directories()) == 1


@pytest.mark.parametrize(
    "phase",
    ["observe", "baseline", "rollback"],
)
def test_a_killed_run_is_judged_by_the_janitor(hands: Hands, phase: str) -> None:
    """Nothing of its own could judge it any more; started again by hand it is not run again either."""
    run = hands.start(phase)
    run.reached(phase)
    run.process().send_signal(signal.SIGKILL)
    _ended_by(run, "cancelled")
    until(lambda: run.state()["name"] == "inconclusive", "the flow run is told")
    # The journal holds no password; whoever has it takes away what the run made.
    assert hands.tables(run)
    remove_leftovers([run.directory() / "journal.jsonl"], {"database": hands.database()})
    assert not hands.tables(run)


@pytest.mark.parametrize(
    "phase",
    ["observe", "baseline", "rollback"],
)
def test_a_run_ends_with_its_worker(hands: Hands, phase: str) -> None:
    """With its worker killed the run ends within seconds, judged; ``serve`` starts another worker."""
    run = hands.start(phase)
    run.reached(phase)
    worker = run.process().parent()
    assert worker is not None and "worker" in worker.cmdline()
    os.kill(worker.pid, signal.SIGKILL)
    _ended_by(run, "cancelled by the death of its worker")
    until(lambda: run.state()["name"] == "inconclusive", "the flow run is told")
    nowhere = hands.start(parameters={"database": {"host": "127.0.0.1", "port": 1}})
    assert nowhere.ended()["name"] == "inconclusive"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"fault": {"kind": "network.proxy.latency", "delay_mss": 3000}}, "fault.delay_mss: there is no such field"),
        ({"seedd": 1}, "seedd: there is no such parameter"),
    ],
)
def test_what_nobody_knows_is_refused(hands: Hands, parameters: dict[str, Any], said: str) -> None:
    """Sent around the form, through the API; before anything is planned."""
    run = hands.start(parameters=parameters)
    state = run.ended()
    assert state["type"] == "FAILED" and said in state["message"], state
    assert "did you mean" in state["message"] and run.directories() == []


def test_recover_of_a_folder_that_is_not_there_fails(hands: Hands) -> None:
    """Nothing was looked at, which is not the same as nothing being left."""
    body = {"parameters": {"runs": "/nowhere"}}
    made = hands.served.call(f"/deployments/{hands.served.deployment('recover')}/create_flow_run", body)
    state = Started(hands.served, str(made["id"])).ended()
    assert state["type"] == "FAILED" and "there is no folder /nowhere" in state["message"]
