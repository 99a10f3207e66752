"""An ill target cannot hang or blind us: probes, targets and stores end within limits, and say that they failed."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from chaosday.errors import ChaosdayError
from chaosday.mechanisms.aws import session as aws_session
from chaosday.mechanisms.cluster import api as kubernetes_api
from chaosday.model.probe import Probe
from chaosday.model.store import NoEffect, Store, Unanswered
from chaosday.model.target import Target
from chaosday.processes.limits import sockets
from chaosday.processes.limits.within import GARBLED, Underway
from chaosday.registry import member, members
from chaosday.safety import reading
from chaosday.safety.reading import Reader, reached
from chaosday.stores import nats as nats_store
from chaosday.stores import postgresql as postgresql_store
from chaosday.stores import rabbitmq as rabbitmq_store
from chaosday.targets import postgresql as postgresql_target
from chaosday.targets import rabbitmq as rabbitmq_target
from tests.ill_servers import MOODS, ill_file, ill_servers

LIMIT_S = 1
MARGIN_S = 300
"""For a machine that is busy with other things; what hangs does so for ever."""
QUIET_S = 3
PORT = "PORT"
URL = f"http://127.0.0.1:{PORT}"
KEYS = {"endpoint_url": URL, "access_key": "a", "secret_key": "b"}
PAGES = ("http", "http-headers", "http-deep", "http-astray")
# Where each kind of target finds the ill server, and what that speaks.
NETWORK: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "aws_account": (("http", "http-headers"), KEYS),
    "etcd": (("http", "http-headers", "http-deep"), {"port": PORT}),
    "kafka": (("mute",), {"brokers": f"127.0.0.1:{PORT}", "timeout_s": LIMIT_S}),
    "line_store": (("lines",), {"port": PORT}),
    "mariadb": (("mysql", "mute"), {"port": PORT, "password": "x"}),
    "nats": (("nats", "mute"), {"port": PORT}),
    "patroni": (PAGES, {"members": [f"127.0.0.1:{PORT}"]}),
    "postgresql": (("postgresql", "mute"), {"port": PORT, "password": "x"}),
    "rabbitmq": (("rabbitmq", "mute"), {"port": PORT}),
    "redis": (("redis", "mute"), {"port": PORT}),
    "s3_store": (("http", "http-headers"), {**KEYS, "timeout_s": LIMIT_S}),
    "ssh_host": (("mute",), {"host": "127.0.0.1", "port": PORT, "connect_timeout_s": LIMIT_S, "attempts": 1}),
    "web_service": (PAGES, {"base_url": URL, "timeout_s": LIMIT_S}),
}  # fmt: skip
HERE = {
    "delta_table", "duckdb_file", "http_route", "iceberg_table", "local_host", "local_process", "parquet_folder",
    "proxy_route", "python_process", "sqlite_file",
}  # fmt: skip
"""Files, processes and proxies of this machine's own: what is behind a route is reached by another target."""
KUBECONFIG = """
{{apiVersion: v1, kind: Config, current-context: x,
  clusters: [{{name: x, cluster: {{server: "http://127.0.0.1:{port}"}}}}],
  contexts: [{{name: x, context: {{cluster: x, user: x}}}}], users: [{{name: x, user: {{token: t}}}}]}}
"""
STORES = {
    "etcd": "write", "kafka": "send", "line_store": "write", "mariadb": "write", "nats": "enqueue",
    "postgresql": "write", "rabbitmq": "enqueue", "redis": "write", "s3_store": "write",
}  # fmt: skip
SQL = ("postgresql", ("postgresql", "mute"))
# What each kind of probe is pointed at: a kind of target, the protocols of its server, its fields.
PROBES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "answers": ("etcd", ("http",), {}),
    "http.view": ("web_service", PAGES, {"selector": "a a a a b", "timeout_s": LIMIT_S}),
    "postgresql.expectations": (*SQL, {"timeout_ms": 500}),
    "postgresql.query": (*SQL, {"timeout_ms": 500}),
    "postgresql.replicating": (*SQL, {}),
    "postgresql.takes_writes": (*SQL, {"timeout_ms": 500}),
    "postgresql.write": (*SQL, {"timeout_ms": 500}),
    "prometheus.query": ("web_service", PAGES, {"timeout_s": LIMIT_S}),
    "s3_checksums": ("s3_store", ("http",), {"bucket": "b"}),
    "sql.query": ("mariadb", ("mysql", "mute"), {"timeout_ms": 500}),
    "sql.write": ("mariadb", ("mysql", "mute"), {"timeout_ms": 500}),
    "table_diff": (*SQL, dict.fromkeys(("left", "right"), f"postgresql://u@127.0.0.1:{PORT}/d#t")),
}  # fmt: skip
SHELLS = {
    "command": ("run", ("sleep 1000", "cat /dev/zero", "kill -9 $$")),
    "log.pattern": ("path", ("/dev/zero",)),
    "python": ("call", ("signal:pause", "sys:exit", "json:loads", "no_such_module:f")),
}
FILES = {"manifest": "before", "parquet_checksums": "path", "sqlite_integrity": "path"}
LAKES = {"silent": "delta://{}", "garbled": "iceberg://{}.metadata.json"}
"""A snapshot of a lake table whose folder, or whose metadata, is such a file."""
TOOLS = {"postgresql.amcheck", "postgresql.backup", "postgresql.checksums"}
"""PostgreSQL's own programs, each with a time-out of its own, on a server whose files are on this machine."""


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[tuple[str, str], int]]:
    with ill_servers() as made:
        yield made


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is ten seconds or a minute elsewhere is one here; no account's own credentials are asked for."""
    for module, name in (
        (sockets, "DRIP_S"), (rabbitmq_target, "PATIENCE_S"), (postgresql_store, "PATIENCE_S"), (nats_store, "DRAIN_S"),
        (aws_session, "DRIP_S"), (kubernetes_api, "TIMEOUT_S"), (postgresql_target, "REACH_S"),
        (postgresql_store, "MAKE_S"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, LIMIT_S)
    monkeypatch.setattr(reading, "REACH_S", 10 * LIMIT_S)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))


def at(fields: dict[str, Any], port: int) -> dict[str, Any]:
    def put(value: Any) -> Any:
        if isinstance(value, list):
            return [put(each) for each in value]
        return port if value == PORT else value.replace(PORT, str(port)) if isinstance(value, str) else value

    return {name: put(value) for name, value in fields.items()}


def ill(kind: str, port: int) -> Target:
    """A target of that kind whose server is the one at ``port``."""
    made: Target = member("targets", kind).model_validate(at(NETWORK[kind][1], port))
    return made


class Together:
    """Acts that all run at once, each with a name; what became of each is asked for at the end."""

    def __init__(self) -> None:
        self._begun: dict[str, Underway[Any]] = {}

    def begin(self, name: str, act: Callable[[], Any]) -> None:
        self._begun[name] = Underway(act)

    def outcomes(self) -> dict[str, Any]:
        until = time.monotonic() + MARGIN_S
        hanging = [name for name, each in self._begun.items() if not each.ended(until - time.monotonic())]
        assert not hanging
        return {name: each.outcome() for name, each in self._begun.items()}


def test_every_target_says_that_it_was_not_reached(ports: dict[tuple[str, str], int], tmp_path: Path) -> None:
    """Whatever a server does once it has been connected to, preflight hears an error of ours within its limit."""
    together, asked = Together(), 0
    for kind, (protocols, _) in NETWORK.items():
        for place in [(protocol, mood) for protocol in protocols for mood in MOODS]:
            together.begin(f"{kind} {place}", lambda kind=kind, place=place: reached(ill(kind, ports[place])))
    for mood in MOODS:
        config = tmp_path / mood
        config.write_text(KUBECONFIG.format(port=ports["http", mood]))
        cluster = member("targets", "kubernetes_cluster").model_validate({"kubeconfig": str(config)})
        together.begin(f"kubernetes_cluster {mood}", lambda cluster=cluster: reached(cluster))
    for name, outcome in together.outcomes().items():
        asked += 1
        # A page that is no page is an answer of a web service, and judged by its probes; a greeting is NATS's answer.
        answered = name.startswith(("web_service", "nats ('nats'"))
        assert isinstance(outcome, ChaosdayError) or answered, (name, outcome)
        assert "\n" not in str(outcome), (name, outcome)
    assert asked > 100
    assert set(members("targets")) == {*NETWORK, *HERE, "kubernetes_cluster"}


def test_every_store_ends_an_operation(ports: dict[tuple[str, str], int]) -> None:
    """Making, opening, asking and dropping end within their limits; none is taken for done, and no socket is left."""
    before = connected(ports)

    def used(store: Store, f: str) -> list[Any]:
        done: list[Any] = []
        with contextlib.suppress(ChaosdayError):
            store.make("x", {})
            done.append("make")
        with contextlib.suppress(ChaosdayError):
            store.drop("x")
            done.append("drop")
        with contextlib.suppress(ChaosdayError, NoEffect, Unanswered, OSError, *GARBLED):
            session = store.session("x", LIMIT_S, {})
            try:
                session.ask(f, None if f == "enqueue" else 1, 1)
                done.append(f)
            finally:
                session.close()
        return done

    together = Together()
    for kind, f in STORES.items():
        for place in [(protocol, mood) for protocol in NETWORK[kind][0] for mood in MOODS]:
            store = ill(kind, ports[place]).capability(Store)
            together.begin(f"{kind} {place}", lambda store=store, f=f: used(store, f))
    silent_makers = {"redis", "s3_store"}  # nothing is made, a connection is all that is asked
    for name, outcome in together.outcomes().items():
        assert isinstance(outcome, list), (name, outcome)
        assert not outcome or name.split()[0] in silent_makers, (name, outcome)
    assert left_over(ports, before) == set()
    assert set(STORES) == {kind for kind in NETWORK if Store in ill(kind, 1).capabilities()}


class Broker:
    """RabbitMQ's client on a broker that says that there is one message, and sends ``body`` for ever."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def channel(self) -> Any:
        return SimpleNamespace(
            confirm_delivery=lambda: None,
            basic_qos=lambda **_: None,
            basic_ack=lambda *_, **__: None,
            queue_declare=lambda *_, **__: SimpleNamespace(method=SimpleNamespace(message_count=1)),
            consume=lambda *_, **__: itertools.repeat((SimpleNamespace(delivery_tag=1), None, self._body)),
        )


@pytest.mark.parametrize(("body", "words"), [(b"7", "there was no end"), (b"9" * 5000, "ValueError"), (b"x", "Value")])
def test_a_broker_that_sends_for_ever(monkeypatch: pytest.MonkeyPatch, body: bytes, words: str) -> None:
    """A drain has an end whatever is said to be there, and a body that is no number of ours is no crash."""
    monkeypatch.setattr(rabbitmq_store, "DRAIN_S", 0.05)
    with pytest.raises(Unanswered, match=words):
        rabbitmq_store.RabbitSession(lambda: Broker(body), "x", {}).ask("drain", None, None)


def connected(ports: dict[tuple[str, str], int]) -> set[tuple[tuple[str, str], int]]:
    """The servers to which this process holds a connection, with the descriptor of each.

    One of HTTP may be left to the thread that reads from it: nothing of ours waits for that any more.
    """
    names = {port: name for name, port in ports.items() if not name[0].startswith("http")}
    held = psutil.Process().net_connections("tcp")
    return {(names[each.raddr.port], each.fd) for each in held if each.raddr and each.raddr.port in names}


def left_over(ports: dict[tuple[str, str], int], before: set[tuple[tuple[str, str], int]]) -> set[Any]:
    """Connections that are still there, or come again, after all the time that a busy machine may take.

    A library that is about to go (librdkafka) may connect once more: it is over when nothing was there for a while.
    """
    until, quiet_since = time.monotonic() + MARGIN_S, time.monotonic()
    while time.monotonic() < until:
        if connected(ports) - before:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > QUIET_S:
            return set()
        time.sleep(0.1)
    return connected(ports) - before or {"it came and went"}


def probe_of(kind: str, port: int, fields: dict[str, Any]) -> Probe:
    made: Probe = member("probes", kind).model_validate({"target": "t", **at(fields, port)})
    return made


def test_every_probe_is_a_breach(ports: dict[tuple[str, str], int], tmp_path: Path) -> None:
    """Through the reader that guards use: an ill target is no health, within the limit, whatever the library raises."""
    together = Together()
    for kind, (target, protocols, fields) in PROBES.items():
        for place in [(protocol, mood) for protocol in protocols for mood in MOODS]:
            reader = Reader(probe_of(kind, ports[place], fields), ill(target, ports[place]))
            # A comparison of tables may take an hour; this reader has less patience.
            limit_s = 5.0 * LIMIT_S if kind == "table_diff" else float("inf")
            together.begin(f"{kind} {place}", lambda reader=reader, limit_s=limit_s: reader.read(limit_s))
    here = member("targets", "local_host")()
    for kind, (field, values) in SHELLS.items():
        for value in values:
            reader = Reader(probe_of(kind, 0, {field: value, "timeout_s": LIMIT_S}), here)
            together.begin(f"{kind} {value}", reader.read)
    for mood in ("silent", "garbled"):
        path = ill_file(tmp_path, mood)
        for kind, field in FILES.items():
            reader = Reader(probe_of(kind, 0, {field: str(path)}), here)
            together.begin(f"{kind} {mood}", lambda reader=reader: reader.read(LIMIT_S))
        reader = Reader(probe_of("lake_files", 0, {"table": LAKES[mood].format(path)}), here)
        together.begin(f"lake_files {mood}", lambda reader=reader: reader.read(LIMIT_S))
    for name, outcome in together.outcomes().items():
        assert not isinstance(outcome, BaseException), (name, outcome)
        assert outcome.healthy is not True, (name, outcome)
        assert len(outcome.words) < 1000 and "\n" not in outcome.words, (name, outcome)
    assert set(members("probes")) == {*PROBES, *SHELLS, *FILES, *TOOLS, "lake_files"}
