"""Probes of other people's monitors: commands, logs, Prometheus, expectations; silence is never health."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chaosday.data.expectations import Expectation
from chaosday.model.probe import Probe
from chaosday.probes.http.prometheus import PrometheusQuery
from chaosday.probes.http.view import HttpView
from chaosday.probes.postgresql.suite import PostgresExpectations
from chaosday.probes.shell.command import Command
from chaosday.probes.shell.log_pattern import LogPattern
from chaosday.servers.postgres import Node
from chaosday.targets.local_host import LocalHost
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.web_service import WebService

TOKEN = "canary-77-token"
ANSWERS: dict[str, Any] = {
    "up": {"resultType": "vector", "result": [{"value": [0, "1"]}, {"value": [0, "0"]}]},
    "errors": {"resultType": "vector", "result": [{"value": [0, "NaN"]}]},
    "time()": {"resultType": "scalar", "result": [0, "42.5"]},
    "nothing": {"resultType": "vector", "result": []},
}


class _Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        query = parse_qs(asked.query).get("query", [""])[0]
        body = json.dumps({"status": "success", "data": ANSWERS.get(query, "nonsense")}).encode()
        self.send_response(200 if allowed else 403)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test is quiet."""


@pytest.fixture
def metrics() -> Iterator[WebService]:
    """A server that speaks the part of Prometheus's API that is asked, behind a token."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield WebService.model_validate({"base_url": f"http://127.0.0.1:{server.server_port}", "token": TOKEN})
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("query", "limits", "healthy"),
    [
        ("time()", {"at_most": 50}, True),
        ("time()", {"at_most": 42}, False),
        ("up", {"at_least": 1}, False),
        ("up", {"at_least": 0}, True),
        ("errors", {"at_most": 1}, None),
        ("nothing", {}, None),
        ("bogus", {}, None),
    ],
)
def test_prometheus(metrics: WebService, query: str, limits: dict[str, float], healthy: bool | None) -> None:
    """The worst sample counts; no sample, NaN and nonsense are no answer."""
    reading = PrometheusQuery.model_validate({"query": query, **limits}).read(metrics)
    assert reading.healthy is healthy, reading.words


def test_a_web_service_that_is_gone_or_denies_is_no_health(metrics: WebService) -> None:
    """A wrong token and a dead server give no reading, and the token is in none of the words."""
    assert "answered 200" in metrics.reach()
    denied = metrics.model_copy(update={"token": None})
    dead = WebService(base_url="http://127.0.0.1:9")
    for service in (denied, dead):
        reading = PrometheusQuery(query="up").read(service)
        assert reading.healthy is None
    assert HttpView(path="/", within_ms=0).read(metrics).healthy is True
    assert TOKEN not in str(metrics.public()) + repr(metrics)


@pytest.mark.parametrize(
    ("probe", "healthy"),
    [
        (Command(run="exit 0"), True),
        (Command(run="echo oh no >&2; exit 3"), False),
        (Command(run="no-such-program-anywhere"), None),
        (Command(run="sleep 5", timeout_s=0.2), None),
        (Command(run="echo 12 failures: 7", at_most=5), False),
        (Command(run="echo 4", at_most=5, at_least=1), True),
        (Command(run="echo many", at_most=5), None),
    ],
)
def test_commands(probe: Probe, healthy: bool | None) -> None:
    """The exit code, or the number printed last; what cannot be started or does not end says nothing."""
    reading = probe.read(LocalHost())
    assert reading.healthy is healthy, reading.words
    assert "\n" not in reading.words


@pytest.mark.parametrize(
    ("fields", "healthy"),
    [
        ({"pattern": "PANIC"}, False),
        ({"pattern": "PANIC", "lines": 1}, True),
        ({"pattern": "ready|started", "at_least": 1}, True),
        ({"pattern": "stopped", "at_least": 1}, False),
        ({"pattern": "["}, None),
        ({"path": "/nonexistent/log"}, None),
    ],
)
def test_logs(tmp_path: Path, fields: dict[str, Any], healthy: bool | None) -> None:
    """Counts in the last lines only; a log that is not there, or a pattern that is none, says nothing."""
    log = tmp_path / "it's a log"
    log.write_text("started\nPANIC: could not fsync\nready\n")
    reading = LogPattern.model_validate({"path": str(log), **fields}).read(LocalHost())
    assert reading.healthy is healthy, reading.words


@pytest.mark.lab
@pytest.mark.parametrize(
    ("query", "argument", "healthy"),
    [
        ("select g as id from generate_series(1, 5) g", {}, True),
        ("select nullif(g, 3) as id from generate_series(1, 5) g", {}, False),
        ("select 1 as id where false", {}, None),
        ("select 1 as id, 2 as id", {}, None),
        ("select * from nowhere", {}, None),
        ("select 1 as id", {"column": "missing"}, None),
    ],
)
def test_expectations_on_a_table(
    pair: tuple[Node, Node], query: str, argument: dict[str, str], healthy: bool | None
) -> None:
    """Met, unmet; nothing to validate, a failing query and an expectation in error say nothing."""
    target = PostgreSQL.model_validate({"port": pair[0].port, "password": pair[0].password})
    suite = [Expectation(arguments={"column": "id", **argument})]
    reading = PostgresExpectations(query=query, suite=suite).read(target)
    assert reading.healthy is healthy, reading.words


@pytest.mark.lab
def test_whole_numbers_beside_a_null_are_not_rounded(pair: tuple[Node, Node]) -> None:
    """Two numbers that differ beyond 53 bits are two, whatever else is in their column."""
    target = PostgreSQL.model_validate({"port": pair[0].port, "password": pair[0].password})
    suite = [Expectation(expect="expect_column_values_to_be_unique", arguments={"column": "big"})]
    query = f"select * from (values ({2**53}, 1), ({2**53 + 1}, 2), (null, 3)) t (big, id)"
    reading = PostgresExpectations(query=query, suite=suite).read(target)
    assert reading.healthy, reading.words
