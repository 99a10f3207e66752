"""Stores, on the real systems: what was asked is what is there, refusals are refusals, silence is not an answer."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chaosday.errors import CapabilityMissing, ChaosdayError
from chaosday.lab.stands import stand
from chaosday.model.store import NoEffect, Session, Store, Unanswered
from chaosday.model.target import Target
from chaosday.registry import member, members
from chaosday.targets.kafka import Kafka
from tests.lab.machine import absent
from tests.stores.relay import Relay

pytestmark = [pytest.mark.lab]
SPACE = "test_space"
CUTS = 7


@dataclass(frozen=True)
class Bench:
    """Which stand starts the system, where its target is among the facts, and what it can be asked."""

    stand: str
    fact: str
    asks: frozenset[str]
    relayed: bool = True
    """Whether a relay can stand before it: a cluster sends its clients to where it says that it is."""


SQL = frozenset({"set", "register", "txn"})
BENCHES = {
    "postgresql": Bench("postgresql", "server", SQL),
    "mariadb": Bench("mariadb", "server", SQL),
    "sqlite_file": Bench("", "db.sqlite", SQL),
    "duckdb_file": Bench("", "db.duckdb", SQL),
    "parquet_folder": Bench("", ".", frozenset({"set"})),
    "delta_table": Bench("", ".", SQL),
    "iceberg_table": Bench("", ".", SQL),
    "line_store": Bench("embedded", "server", SQL),
    "redis": Bench("redis", "server", frozenset({"set", "register"})),
    "etcd": Bench("etcd", "a", frozenset({"set", "register"})),
    "nats": Bench("nats", "server", frozenset({"queue"})),
    "s3_store": Bench("object_store", "server", frozenset({"register", "generate"})),
    "rabbitmq": Bench("rabbitmq", "server", frozenset({"queue"})),
    "kafka": Bench("kafka", "server", frozenset({"log"}), relayed=False),
}
SERVERS = [kind for kind, made in BENCHES.items() if made.stand and made.relayed]
QUEUES = [kind for kind, made in BENCHES.items() if "queue" in made.asks]


def test_every_store_has_a_bench() -> None:
    """A new target that offers a Store is tested unasked."""
    offering = {kind for kind, model in members("targets").items() if Store in _capabilities(model)}
    assert offering == set(BENCHES)


def _capabilities(model: type[Any]) -> Any:
    try:
        return model().capabilities()
    except ChaosdayError:
        return {}


@pytest.fixture(scope="module", params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[tuple[Bench, Target, dict[str, Any]]]:
    made = BENCHES[request.param]
    folder = Path(tempfile.mkdtemp(prefix="chaosday-store-"))
    folder.chmod(0o711)
    try:
        if not made.stand:
            target = member("targets", request.param).model_validate({"path": str(folder / made.fact)})
            assert isinstance(target, Target)
            yield made, target, {}
            return
        if made.stand == "kafka":
            facts = request.getfixturevalue("kafka_lab")
            yield made, Kafka.model_validate(facts[made.fact]), facts
            return
        try:
            with stand(made.stand, folder, {}) as facts:
                target = member("targets", request.param).model_validate(facts[made.fact])
                assert isinstance(target, Target)
                yield made, target, facts
        except CapabilityMissing as error:
            absent(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def session(bench: tuple[Bench, Target, dict[str, Any]]) -> Iterator[Session]:
    store = bench[1].capability(Store)
    store.make(SPACE, {})
    store.make(SPACE, {})
    opened = store.session(SPACE, 5, {})
    yield opened
    opened.close()
    opened.close()
    store.drop(SPACE)
    store.drop(SPACE)


def test_it_says_what_it_is(bench: tuple[Bench, Target, dict[str, Any]]) -> None:
    """Name and version, and no secret."""
    words = bench[1].reach()
    assert any(letter.isdigit() for letter in words)
    secret = getattr(bench[1], "password", None)
    assert secret is None or secret.get_secret_value() not in words


def _set(session: Session) -> None:
    """All that was added, and nothing else; empty before."""
    assert session.ask("read", None, None) == []
    for element in (5, 3, 12):
        session.ask("add", None, element)
    assert sorted(session.ask("read", None, None)) == [3, 5, 12]


def _register(session: Session) -> None:
    """Nothing before it was written, and then what was written last; keys do not touch each other."""
    assert session.ask("read", 1, None) is None
    session.ask("write", 1, 41)
    session.ask("write", 1, 42)
    session.ask("write", 2, 7)
    assert [session.ask("read", key, None) for key in (1, 2, 3)] == [42, 7, None]


def _txn(session: Session) -> None:
    """Reads come back filled in, with the transaction's own writes; a list of one is a list. What the database
    refuses is said to have had no effect, and the session goes on."""
    asked = [["r", 11, None], ["append", 11, 10], ["r", 11, None], ["w", 12, 5], ["r", 12, None]]
    done = session.ask("txn", None, asked)
    assert done == [["r", 11, None], ["append", 11, 10], ["r", 11, [10]], ["w", 12, 5], ["r", 12, 5]]
    assert session.ask("txn", None, [["append", 11, 11], ["r", 11, None]])[1] == ["r", 11, [10, 11]]
    before = session.ask("read", None, None)
    with pytest.raises(NoEffect):
        session.ask("add", None, before[0])
    assert session.ask("read", None, None) == before


def _queue(session: Session) -> None:
    """Each message once, as many as there are."""
    for message in range(1_200):
        session.ask("enqueue", None, message)
    assert sorted(session.ask("drain", None, None)) == list(range(1_200))


def _generate(session: Session) -> None:
    """Each identifier once."""
    given = [session.ask("generate", None, None) for _ in range(5)]
    assert len(set(given)) == 5


def _log(session: Session) -> None:
    """Each message at an offset of its own, in the order in which they were sent; and that there are no more."""
    session.ask("assign", None, [0, 1])
    sent = [session.ask("send", None, [["send", 1, n]])[0] for n in range(20)]
    assert [offset for _, _, (offset, _) in sent] == list(range(20))
    seen: list[Any] = []
    until = time.monotonic() + 60
    while len(seen) < 20 and time.monotonic() < until:
        seen += session.ask("poll", None, [["poll"]])[0][1].get("1", [])
    assert seen == [[n, n] for n in range(20)]
    with pytest.raises(NoEffect):
        session.ask("send", None, [["send", 9, 1]])


HOLDS: dict[str, Callable[[Session], None]] = {
    "set": _set,
    "register": _register,
    "txn": _txn,
    "queue": _queue,
    "generate": _generate,
    "log": _log,
}


def test_it_holds_what_it_was_told(bench: tuple[Bench, Target, dict[str, Any]], session: Session) -> None:
    """Everything that it can be asked, in the order of the table above."""
    asks = [each for each in HOLDS if each in bench[0].asks]
    assert len(asks) == len(bench[0].asks) > 0
    for each in asks:
        HOLDS[each](session)


def test_where_nobody_is_there_is_no_answer(bench: tuple[Bench, Target, dict[str, Any]]) -> None:
    """An error of ours in one line, without secrets; never a made-up answer."""
    where = {
        "port": 1,
        "path": Path("/nowhere/db.sqlite"),
        "endpoint_url": "http://127.0.0.1:1",
        "brokers": "127.0.0.1:1",
    }
    elsewhere = {name: value for name, value in where.items() if hasattr(bench[1], name)}
    assert elsewhere
    nowhere = bench[1].model_copy(update=elsewhere)
    with pytest.raises(ChaosdayError) as caught:
        nowhere.reach()
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises((ChaosdayError, Unanswered, NoEffect)):
        nowhere.capability(Store).session(SPACE, 1, {}).ask("write", 1, 1)


def _behind(target: Target, relay: Relay) -> Target:
    """The same system, reached by way of the relay."""
    if hasattr(target, "endpoint_url"):
        return target.model_copy(update={"endpoint_url": f"http://127.0.0.1:{relay.port}"})
    return target.model_copy(update={"host": "127.0.0.1", "port": relay.port})


def _asked(target: Target, asks: frozenset[str]) -> None:
    session = target.capability(Store).session(SPACE, 1, {})
    try:
        for each in sorted(asks):
            for f, key, value in ASKED[each]:
                session.ask(f, key, value)
    finally:
        session.close()


ASKED: dict[str, list[tuple[str, Any, Any]]] = {
    "set": [("add", None, 77), ("read", None, None)],
    "register": [("write", 1, 1), ("read", 1, None)],
    "txn": [("txn", None, [["append", 21, 1], ["r", 21, None]])],
    "queue": [("enqueue", None, 1), ("drain", None, None)],
    "generate": [("generate", None, None)],
}
ACTS: dict[str, Callable[[Target, frozenset[str]], Any]] = {
    "reach": lambda target, _: target.reach(),
    "make": lambda target, _: target.capability(Store).make(SPACE, {}),
    "ask": _asked,
    "drop": lambda target, _: target.capability(Store).drop(SPACE),
}


@pytest.mark.breadth
@pytest.mark.parametrize("bench", SERVERS, indirect=True)
@pytest.mark.parametrize("act", ACTS)
def test_a_conversation_that_is_cut_short_is_no_traceback(
    bench: tuple[Bench, Target, dict[str, Any]], act: str
) -> None:
    """Wherever in its answers a server dies, what is said is an error of ours, in one line."""
    made, target, _ = bench
    where = getattr(target, "endpoint_url", None) or f"//{getattr(target, 'host', '')}:{getattr(target, 'port', '')}"
    upstream = urlsplit(where)
    assert upstream.hostname
    address = (upstream.hostname, upstream.port or 0)
    with Relay(address) as whole:
        target.capability(Store).make(SPACE, {})
        ACTS[act](_behind(target, whole), made.asks)
    cuts = sorted({whole.answered_bytes * step // CUTS for step in range(CUTS)})
    # Where a bucket is somebody else's to make, there is nothing to ask.
    assert len(cuts) > 1 or act == "make"
    for cut in cuts:
        target.capability(Store).make(SPACE, {})
        with Relay(address, cut) as relay:
            try:
                ACTS[act](_behind(target, relay), made.asks)
            except ChaosdayError as error:
                assert len(str(error).splitlines()) == 1, (cut, str(error))
            except (NoEffect, Unanswered):
                assert act == "ask"
    target.capability(Store).drop(SPACE)


@pytest.mark.parametrize("bench", QUEUES, indirect=True)
def test_a_queue_that_is_slow_has_lost_nothing(bench: tuple[Bench, Target, dict[str, Any]], session: Session) -> None:
    """A drain in which nothing comes for some seconds brings everything all the same."""
    _, target, _ = bench
    for message in range(2_000):
        session.ask("enqueue", None, message)
    session.close()
    address = (str(getattr(target, "host", "")), int(getattr(target, "port", 0)))
    with Relay(address, after_bytes=60_000, stall_s=2.5) as relay:
        drain = _behind(target, relay).capability(Store).session(SPACE, 10, {})
        assert sorted(drain.ask("drain", None, None)) == list(range(2_000))
        drain.close()
        assert relay.answered_bytes >= 60_000
