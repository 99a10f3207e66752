"""Workload by engine: what is sound passes, damage is seen, and an answer that never came proves nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.actions.general.sql import SqlAction
from chaosday.clients.driver import Driver
from chaosday.errors import CapabilityMissing, ChaosdayError
from chaosday.model.finding import Outcome
from chaosday.model.history import FAILED, UNKNOWN
from chaosday.model.sql import Sql
from chaosday.model.target import Target
from chaosday.probes.sql.query import SqlQuery
from chaosday.probes.sql.write import SqlWrite
from chaosday.record.recorder import seal
from chaosday.registry import members
from tests.lab.machine import absent
from tests.stores.relay import Relay
from tests.workloads import engines
from tests.workloads.enough import LONG_S, OK

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("stores")]


def test_every_target_that_speaks_sql_is_here() -> None:
    """A new engine is asked the same as all others."""
    offering = {kind for kind, model in members("targets").items() if Sql in _capabilities(model)}
    assert offering == set(engines.ENGINES)


def test_a_statement_of_somebody_s_is_run_as_it_is_written(target: Target) -> None:
    """A % in it is no placeholder of a driver's."""
    words = "'50%s %% off'"
    for statement in (f"create table made as select {words} as words", "drop table made"):
        SqlAction(target="db", statement=statement, irreversible=True).act({"db": target})
        if statement.startswith("create"):
            query = f"select count(*) from made where words = {words} and words like '50%'"
            assert SqlQuery(target="db", query=query).read(target).value == 1


def _capabilities(model: type[Any]) -> Any:
    try:
        return model().capabilities()
    except ChaosdayError:
        return {}


@pytest.fixture(scope="module", params=engines.ENGINES)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    try:
        with engines.engine(request.param) as made:
            yield made
    except CapabilityMissing as error:
        absent(str(error))


@pytest.mark.parametrize("name", engines.CASES)
def test_what_is_sound_passes_and_damage_behind_the_clients_is_seen(target: Target, name: str, tmp_path: Path) -> None:
    """The same evidence, before and after somebody changed the table by hand; nothing of ours stays."""
    case = engines.CASES[name]
    workload, check = case.workload(target.kind), case.check(target.kind)
    for act in (workload.prepare, workload.prepare):
        act(target)
    try:
        engines.work(workload, target, tmp_path / "history", case.wanted)
        engines.looked_again(workload, target, tmp_path / "history")
        sound = check.judge(engines.evidence(workload, target, tmp_path / "history"))
        assert sound.outcome is Outcome.PASS, (sound.reasons, sound.anomalies)
        assert sound.examined > 0
        engines.damaged(case, workload, target)
        engines.looked_again(workload, target, tmp_path / "history")
        hurt = check.judge(engines.evidence(workload, target, tmp_path / "history"))
        assert hurt.outcome is Outcome.VIOLATED, hurt.reasons
    finally:
        workload.clean_up(target)
        workload.clean_up(target)


def test_probes_write_and_ask(target: Target) -> None:
    """A write commits, a query gives its number, what writes is refused, and nothing stays."""
    write = SqlWrite()
    assert [write.read(target).value for _ in range(2)] == [1, 2]
    table = target.capability(Sql).dialect.table("beats")
    assert SqlQuery(query=f"select max(beats) from {table}", at_most=2).read(target).healthy is True
    assert SqlQuery(query=f"select max(beats) from {table}", at_least=3).read(target).healthy is False
    for wrong in (f"delete from {table}", "select * from nowhere", "select null", "select 'x'"):
        assert SqlQuery(query=wrong).read(target).healthy is None
    assert write.read(target).value == 3
    write.clean_up(target)
    write.clean_up(target)
    assert SqlQuery(query=f"select max(beats) from {table}").read(target).healthy is None


@pytest.mark.parametrize("name", ["ledger", "bank"])
def test_clients_that_are_killed_leave_what_proves_nothing(target: Target, name: str, tmp_path: Path) -> None:
    """Wherever in an operation they were: it is unknown, and what is there in the end is explained with it."""
    case = engines.CASES[name]
    workload = case.workload(target.kind)
    workload.prepare(target)
    try:
        history = tmp_path / "history"
        history.mkdir()
        driver = Driver.begin(workload, target, history, seed=3)
        engines.recorded(history, case.wanted)
        os.kill(driver.pid, signal.SIGKILL)
        driver.stop()
        finding = case.check(target.kind).judge(engines.evidence(workload, target, history))
        assert finding.outcome is Outcome.PASS, (finding.reasons, finding.anomalies)
    finally:
        workload.clean_up(target)


@pytest.mark.parametrize("target", engines.SERVERS, indirect=True)
@pytest.mark.parametrize("name", engines.CASES)
def test_an_answer_that_never_came_is_unknown(target: Target, name: str, tmp_path: Path) -> None:
    """Every connection is reset in the middle of an answer: never acknowledged, never failed, and no false alarm."""
    case = engines.CASES[name]
    workload = case.workload(target.kind)
    workload.prepare(target)
    history = tmp_path / "history"
    try:
        with Relay(("127.0.0.1", target.port)) as relay:  # type: ignore[attr-defined]
            behind = target.model_copy(update={"port": relay.port})
            stop = threading.Event()
            worker = threading.Thread(target=workload.run, args=(behind, history, stop, 5), daemon=True)
            worker.start()
            engines.recorded(history, case.wanted)
            # Several times, so that somebody is in the middle of something.
            until = time.monotonic() + LONG_S
            while _unknown(history) < 3 and time.monotonic() < until:
                relay.reset()
                time.sleep(0.05)
            engines.recorded(history, {OK: _count(history, OK) + 5})
            stop.set()
            worker.join(LONG_S)
            assert not worker.is_alive()
        engines.looked_again(workload, target, history)
        sealed = seal(history)
        errors = [
            error
            for error, code in zip(sealed.table["error"].to_pylist(), sealed.statuses(), strict=True)
            if code == FAILED
        ]
        assert not [each for each in errors if "onnection" in str(each) or "2013" in str(each)], errors
        assert (sealed.statuses() == UNKNOWN).sum() >= 3
        finding = case.check(target.kind).judge(engines.evidence(workload, target, history))
        assert finding.outcome is Outcome.PASS, (finding.reasons, finding.anomalies)
    finally:
        workload.clean_up(target)


def _unknown(history: Path) -> int:
    return _count(history, '"status":"unknown"')


def _count(history: Path, text: str) -> int:
    return sum(path.read_text().count(text) for path in history.glob("client-*.jsonl"))
