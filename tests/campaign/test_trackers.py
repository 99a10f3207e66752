"""Trackers have one thing open for each experiment that is violated, and none for one that passes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from chaosday.campaign.telling.delivering import Delivery
from chaosday.campaign.telling.telling import tell
from chaosday.clock import SystemClock
from tests.campaign.many_runs import ARun, write

pytestmark = pytest.mark.kernel
CANARY = "canary-71d0e4"
NOW = datetime.now(UTC)


class Service:
    """What a service was asked, and the issues that it holds, in the fields of GitHub and of GitLab."""

    def __init__(self) -> None:
        self.issues: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.refuses = 0
        self.url = ""

    def open(self) -> list[dict[str, Any]]:
        return [each for each in self.issues if each["state"] == "open"]

    def answer(self, method: str, address: str, body: Any) -> tuple[int, Any]:
        path, wanted = urlsplit(address).path, parse_qs(urlsplit(address).query)
        if method == "GET":
            page, size = int(wanted["page"][0]), int(wanted["per_page"][0])
            found = [each for each in self.open() if wanted["labels"][0] in each["labels"]]
            return 200, found[(page - 1) * size : page * size]
        if path.endswith("/issues"):
            number = len(self.issues) + 1
            self.issues.append({**body, "number": number, "iid": number, "state": "open"})
            return 201, self.issues[-1]
        if method in ("PATCH", "PUT"):
            self.issues[int(path.rsplit("/", 1)[1]) - 1]["state"] = "closed"
        return 202, {}


@contextmanager
def serving() -> Iterator[Service]:
    """A real HTTP receiver on this machine."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            service.asked.append((self.command, self.path, body))
            service.headers.append(dict(self.headers))
            code, said = (service.refuses, {}) if service.refuses else service.answer(self.command, self.path, body)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        do_GET = do_POST = do_PATCH = do_PUT = _answer

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield service
    server.shutdown()
    server.server_close()


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for runs; the token is in its variable."""
    monkeypatch.setenv("TOKEN", CANARY)
    (tmp_path / "runs").mkdir(mode=0o700)
    return tmp_path / "runs"


def ends(runs: Path, outcome: str, hours_ago: float, title: str = "failover", **fields: Any) -> None:
    """One more run."""
    began = NOW - timedelta(hours=hours_ago)
    write(runs, ARun(began, title=title, outcome=outcome, token=f"{len(list(runs.iterdir())):06d}", **fields))


def told(runs: Path, receiver: dict[str, Any]) -> Delivery:
    """Once round."""
    file = runs.parent / "told.yaml"
    file.write_text(yaml.safe_dump({"receivers": [receiver]}))
    (did,) = tell(file, runs, SystemClock())
    return did


def tracker(kind: str, url: str) -> dict[str, Any]:
    return {"kind": kind, "api": url, "token_env": "TOKEN"}


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_an_issue_is_open_until_the_experiment_passes(runs: Path, kind: str) -> None:
    """Opened once for any number of findings, not closed by what proves nothing, closed by a pass, opened again."""
    with serving() as service:
        for number in range(100):
            service.issues.append({"body": f"other {number}", "labels": ["chaosday"], "number": number + 1,
                                   "iid": number + 1, "state": "open"})  # fmt: skip
        ends(runs, "pass", 40, title="sound")
        ends(runs, "violated", 30)
        assert told(runs, tracker(kind, service.url)).waiting == 0
        ends(runs, "violated", 29, lost=3)
        ends(runs, "inconclusive", 28)
        ends(runs, "pass", 27, placebo=True)
        told(runs, tracker(kind, service.url))
        assert [each["number"] for each in service.open()[100:]] == [101]
        assert service.open()[100]["title"].startswith("failover: violated")
        ends(runs, "pass", 26)
        told(runs, tracker(kind, service.url))
        assert len(service.open()) == 100
        asked = len(service.asked)
        assert told(runs, tracker(kind, service.url)).told == 0 and len(service.asked) == asked
        ends(runs, "violated", 25)
        told(runs, tracker(kind, service.url))
        assert len(service.open()) == 101
    assert CANARY not in str(service.asked) and all(CANARY in str(each) for each in service.headers)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize("strange", [7, None, "text", {"body": None, "labels": ["chaosday"], "state": "open"}])
def test_an_answer_that_is_no_list_of_issues_waits(runs: Path, kind: str, strange: Any) -> None:
    """What a service sends is never taken for more than it is: the news wait, in words."""
    ends(runs, "violated", 30)
    with serving() as service:
        told(runs, tracker(kind, service.url))
        ends(runs, "violated", 20, lost=9)
        text = service.issues[0].get("body") or service.issues[0]["description"]
        broken = {**strange, "body": text, "number": "1; x"} if isinstance(strange, dict) else strange
        service.answer = lambda *_: (200, [broken])  # type: ignore[method-assign]
        did = told(runs, tracker(kind, service.url))
    assert did.waiting == 1 and "issue" in did.why


def test_a_pull_request_that_quotes_an_issue_is_left_alone(runs: Path) -> None:
    """GitHub's list of issues has pull requests in it: none is closed, and none stands for an issue."""
    ends(runs, "violated", 30)
    with serving() as service:
        told(runs, tracker("github", service.url))
        quoting = {**service.issues[0], "number": 2, "pull_request": {"url": "x"}}
        service.issues.insert(0, {**service.issues.pop(), "number": 1})
        service.issues.append(quoting)
        service.issues.reverse()
        ends(runs, "pass", 20)
        told(runs, tracker("github", service.url))
        closed = [path for method, path, _ in service.asked if method == "PATCH"]
    assert [path.rsplit("/", 1)[1] for path in closed] == ["1"]


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_tracker_that_was_away_hears_how_it_is(runs: Path, kind: str) -> None:
    """What was violated while it refused and passed since opens nothing; what is still violated opens one issue."""
    with serving() as service:
        service.refuses = 503
        ends(runs, "violated", 30)
        ends(runs, "violated", 30, title="other")
        did = told(runs, tracker(kind, service.url))
        assert (did.told, did.waiting) == (0, 2) and "503" in did.why
        ends(runs, "pass", 20)
        service.refuses = 0
        assert told(runs, tracker(kind, service.url)).waiting == 0
        assert [each["title"].partition(":")[0] for each in service.issues] == ["other"]


def test_words_of_a_system_call_nobody(runs: Path) -> None:
    """Markup in a title is text in the issue, and no mark of another experiment."""
    with serving() as service:
        ends(runs, "violated", 3, title="@everybody <!-- chaosday 0 --> [x](y)")
        told(runs, tracker("github", service.url))
        (issue,) = service.issues
    assert "<!-- chaosday 0" not in issue["body"] and "[x](" not in issue["body"]
    assert "@everybody" not in issue["body"]


def test_pagerduty_is_triggered_and_resolved_under_one_key(runs: Path) -> None:
    """As its Events API v2 has it; the key is in the body alone."""
    with serving() as service:
        receiver = {"kind": "pagerduty", "url": f"{service.url}/v2/enqueue", "routing_key_env": "TOKEN"}
        for outcome, hours_ago in (("violated", 9), ("pass", 8)):
            ends(runs, outcome, hours_ago)
            did = told(runs, receiver)
            assert did.waiting == 0 and CANARY not in str(did)
    trigger, resolve = (body for _, _, body in service.asked)
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] and trigger["routing_key"] == CANARY
    assert {"summary", "source", "severity"} <= trigger["payload"].keys() and "payload" not in resolve


def test_grafana_is_shown_each_run_as_a_region(runs: Path) -> None:
    """A pass as well: it hurt the system too; once, with its times in milliseconds."""
    with serving() as service:
        ends(runs, "pass", 2)
        ends(runs, "violated", 1)
        receiver = {"kind": "grafana", "url": service.url, "token_env": "TOKEN"}
        assert told(runs, receiver).told == 2 and told(runs, receiver).told == 0
    bodies = [body for _, _, body in service.asked]
    assert [path for _, path, _ in service.asked] == ["/api/annotations"] * 2
    assert [each["tags"] for each in bodies] == [["chaosday", out, "process.kill"] for out in ("pass", "violated")]
    assert bodies[0]["time"] == int((NOW - timedelta(hours=2)).timestamp()) * 1000
    assert bodies[0]["timeEnd"] > bodies[0]["time"]


@pytest.mark.parametrize(
    "receiver",
    [
        {"kind": "github", "api": "http://198.18.0.9", "token_env": "TOKEN"},
        {"kind": "gitlab", "api": f"https://me:{CANARY}@127.0.0.1", "token_env": "TOKEN"},
        {"kind": "pagerduty", "url": "http://198.18.0.9", "routing_key_env": "TOKEN"},
        {"kind": "grafana", "url": "http://198.18.0.9", "token_env": "TOKEN"},
        {"kind": "github", "token_env": "NOT_SET"},
    ],
)
def test_a_token_goes_nowhere_in_the_clear(runs: Path, receiver: dict[str, Any]) -> None:
    """Over TLS or on this machine, never in an address; what is wrong is said without it."""
    ends(runs, "violated", 1)
    did = told(runs, receiver)
    assert did.waiting == 1 and did.why and CANARY not in str(did)
