"""A real Kafka: what is asked of it is judged sound, and a wrong address, account or number of copies is one line."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.checks.kafka import Kafka as KafkaCheck
from chaosday.clients.asking import Asking
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.errors import AccessDenied, ChaosdayError, TargetUnreachable, UsageError
from chaosday.lab.stands import stand
from chaosday.model.experiment import parse
from chaosday.model.store import Session, Store, Unanswered
from chaosday.record.recorder import seal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.servers.ports import free_port
from chaosday.stores.kafka import KafkaSession, KafkaStore
from chaosday.targets.kafka import Kafka
from chaosday.workloads import log
from chaosday.workloads.log import Log
from tests.docs.pages import ROOT
from tests.workloads.enough import OK, once

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("stores")]


@pytest.mark.parametrize(
    "how", [{}, {"transactions": True}, {"consumers": "subscribe"}], ids=["assign", "transactions", "subscribe"]
)
def test_what_a_sound_kafka_does_is_sound(kafka_lab: dict[str, Any], tmp_path: Path, how: dict[str, Any]) -> None:
    """Clients that send and poll, in transactions, or in a group: everything is seen in the end, in order."""
    target = Kafka.model_validate(kafka_lab["server"])
    workload = Log.model_validate({"target": "server", "clients": 3, "operation_timeout_s": 60, "scope": "s", **how})
    workload.prepare(target)
    stop, history = threading.Event(), tmp_path / "history"
    try:
        with once(history, {OK: 150}, stop.set):
            workload.run(target, history, stop, 1)
    finally:
        workload.clean_up(target)
    result = KafkaCheck().analyse(seal(history))
    assert (result["valid?"], result["bad-error-types"]) == (True, []), result["anomalies"]
    assert result["messages"] > 20


def test_an_open_transaction_hides_nothing(kafka_lab: dict[str, Any]) -> None:
    """Behind it nothing is read, and that is said; who follows by its name aborts it, and all is read to the end."""
    store = Kafka.model_validate(kafka_lab["server"]).capability(Store)
    store.make("open", {"partitions": 1})
    left_open = {"transactional": True, "transactional_id": 0}
    gone, plain, reader = (store.session("open", 60, options) for options in (left_open, {}, {}))
    reader.ask("assign", None, [0])

    def read_until(done: Callable[[], bool]) -> bool:
        until = time.monotonic() + 60
        while not done() and time.monotonic() < until:
            seen.extend(value for _, value in reader.ask("poll", None, [["poll"]])[0][1].get("0", []))
        return done()

    def whole() -> bool:
        return bool(reader.ask(log.ENDS, None, [0])["0"])

    seen: list[int] = []
    try:
        plain.ask("send", None, [["send", 0, 1]])
        assert isinstance(gone, KafkaSession) and isinstance(reader, KafkaSession)
        gone._sender().begin_transaction()
        gone._send(["send", 0, 2])
        plain.ask("send", None, [["send", 0, 3]])
        assert read_until(lambda: bool(reader._ended)) and seen == [1] and not whole()
        follows = store.session("open", 60, left_open)
        follows.ask("txn", None, [["send", 0, 4]])
        follows.close()
        assert read_until(whole) and seen == [1, 3, 4]
    finally:
        for each in (gone, plain, reader):
            each.close()
        store.drop("open")


def test_an_account_and_a_certificate_are_asked_for(kafka_lab: dict[str, Any], tmp_path: Path) -> None:
    """With both it is used; with a wrong one it is one line, in which there is no secret."""
    secure = Kafka.model_validate(kafka_lab["secure"])
    assert "1 broker" in secure.reach()
    session = secure.capability(Store).session("nothing", 5, {})
    session.close()
    wrong: list[tuple[dict[str, Any], type[ChaosdayError], str]] = [
        ({"password": "canary-wrong"}, AccessDenied, "refuses the login"),
        ({"ca_file": "", "timeout_s": 3}, TargetUnreachable, "certificate verify failed"),
        ({"user": "", "timeout_s": 3}, TargetUnreachable, "does not answer"),
        ({"ca_file": str(tmp_path / "none.pem")}, TargetUnreachable, "ca_file .*none.pem cannot be read"),
    ]
    for change, error, words in wrong:
        with pytest.raises(error, match=words) as caught:
            Kafka.model_validate({**kafka_lab["secure"], **change}).reach()
        assert "canary" not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_a_broker_that_names_a_wrong_address_is_told_apart(kafka_lab: dict[str, Any]) -> None:
    """It answers, and sends its clients to where nobody is: the line names the setting."""
    with pytest.raises(TargetUnreachable, match=r"says it is at 127\.0\.0\.1:1, .*advertised\.listeners"):
        Kafka.model_validate(kafka_lab["astray"]).reach()


def test_an_unknown_topic_is_one_line(kafka_lab: dict[str, Any]) -> None:
    """A topic that is said to be there and is not."""
    with pytest.raises(TargetUnreachable, match="has no topic nothing"):
        Kafka.model_validate({**kafka_lab["server"], "topic": "nothing"}).reach()


def test_more_copies_than_brokers_are_refused(kafka_lab: dict[str, Any]) -> None:
    """In one line, and no topic is made."""
    target = Kafka.model_validate(kafka_lab["server"])
    with pytest.raises(UsageError, match="too few for 3 copies"):
        Log.model_validate({"target": "server", "scope": "many", "replication": 3}).prepare(target)
    assert "log_many" not in target.metadata(20).topics


@pytest.mark.kernel
@pytest.mark.parametrize("brokers", ["", "host", "host:", ":9092", "host:0", "host:65536", "a:1,b", "a:1;b:2"])
def test_addresses_are_hosts_and_ports(brokers: str) -> None:
    """Anything else is refused before anybody is asked."""
    with pytest.raises(ValueError, match="host:port"):
        Kafka(brokers=brokers)


@pytest.mark.kernel
def test_a_lab_of_two_brokers_is_refused(tmp_path: Path) -> None:
    """Two of two is no majority worth having: one or three."""
    with pytest.raises(UsageError, match="one broker or three"), stand("kafka", tmp_path, {"brokers": 2}):
        pass


@pytest.mark.kernel
def test_a_kafka_that_is_gone_in_the_end_was_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history says so from the first moment on, and what was acknowledged is not called unseen."""
    monkeypatch.setattr(log, "LAST_POLLS_S", 0.5)
    stop = threading.Event()
    stop.set()
    Log(target="server", clients=2).run(Kafka(brokers=f"127.0.0.1:{free_port()}"), tmp_path, stop, 1)
    asked = [row for row in seal(tmp_path).to_pandas().to_dict("records") if row["f"] == log.ENDS]
    assert asked[0]["status"] == "failed"
    assert not [row for row in asked if row["status"] == "ok" and "true" in str(row["result"])]


@pytest.mark.kernel
def test_each_client_takes_up_its_own_transactions(tmp_path: Path) -> None:
    """By one name as long as it lives: a session that follows another aborts what that had left open."""
    names: list[tuple[str, Any]] = []
    stop = threading.Event()

    class Shut(KafkaStore):
        def session(self, space: str, timeout_s: float, options: Mapping[str, Any]) -> Session:
            names.append((threading.current_thread().name, options["transactional_id"]))
            if len({name for name, _ in names}) == 3 and len(names) > 6:
                stop.set()
            raise TargetUnreachable("closed")

    class Shutting(Log):
        def asking(self, target: Any, directory: Path, seed: int) -> Asking:
            return dataclasses.replace(super().asking(target, directory, seed), store=Shut(dict, "nowhere"))

        def _read_everything(self, asking: Asking) -> None:
            """Nobody is there to be read."""

    Shutting(target="server", clients=3, transactions=True).run(Kafka(brokers="x:1"), tmp_path, stop, 1)
    assert set(names) == {("asker-0", 0), ("asker-1", 1), ("asker-2", 2)}


class Consumed:
    """A consumer that gives what it is told to."""

    def __init__(self, *messages: Any) -> None:
        self._messages = list(messages)

    def poll(self, timeout: float) -> Any:
        return self._messages.pop(0) if self._messages else None

    def consume(self, count: int, timeout: float) -> list[Any]:
        rest, self._messages = self._messages, []
        return rest


class Said:
    """A message, or an error in the place of one."""

    def __init__(self, partition: int, offset: int, error: int | None = None) -> None:
        self._said = partition, offset, error

    def partition(self) -> int:
        return self._said[0]

    def offset(self) -> int:
        return self._said[1]

    def value(self) -> bytes:
        return b"7"

    def error(self) -> Any:
        from confluent_kafka import KafkaError

        return None if self._said[2] is None else KafkaError(self._said[2])


def session_of(*messages: Any, ends: dict[int, int] | None = None) -> KafkaSession:
    made = KafkaSession({}, "nowhere", "topic", 5, {})
    made._consumer = Consumed(*messages)
    made._ends = lambda keys: {key: (ends or {})[key] for key in keys}  # type: ignore[method-assign]
    return made


EOF, UNKNOWN = -191, 3


@pytest.mark.kernel
def test_a_poll_that_only_met_an_error_is_not_answered() -> None:
    """Nothing was there is something else; beside messages an error takes nothing from them."""
    with pytest.raises(Unanswered, match="Unknown topic or partition"):
        session_of(Said(0, 0, UNKNOWN)).ask("poll", None, [["poll"]])
    assert session_of(Said(0, 4), Said(1, 0, UNKNOWN)).ask("poll", None, [["poll"]]) == [["poll", {"0": [[4, 7]]}]]
    assert session_of(Said(0, 5, EOF)).ask("poll", None, [["poll"]]) == [["poll", {}]]


@pytest.mark.kernel
@pytest.mark.parametrize(("end", "whole"), [(5, True), (9, False)], ids=["its end", "a transaction is open"])
def test_the_end_is_that_of_the_partition(end: int, whole: bool) -> None:
    """What a consumer of committed messages calls the end may be an open transaction, behind which there is more."""
    session = session_of(Said(0, 5, EOF), ends={0: end})
    session.ask("poll", None, [["poll"]])
    assert session.ask(log.ENDS, None, [0, 1]) == {"0": whole, "1": False}


def test_the_ready_experiment_runs(kafka_lab: dict[str, Any], tmp_path: Path) -> None:
    """The file as it stands, aimed at the lab: a broker stands still, and nothing is lost."""
    document = yaml.safe_load((ROOT / "deployments" / "experiments" / "your-kafka.yaml").read_text())
    document["targets"]["cluster"]["brokers"] = kafka_lab["server"]["brokers"]
    document["targets"]["broker"] = kafka_lab["process"]
    document["workloads"][0]["operation_timeout_s"] = 60
    document["baseline_at_most_s"] = 120
    directory = RunDirectory.create(tmp_path / "runs", "kafka", SystemClock())
    with Run(ExperimentKind(parse(document)), directory) as run:
        cleans = play(run)
        findings = run.verify()
    assert [each.words for each in cleans if not each.clean] == []
    assert [(finding.outcome.value, finding.anomalies) for finding in findings] == [("pass", [])]
