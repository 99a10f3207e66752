"""Real receivers are told once of what runs found, dead ones hold up nothing, and nobody is told a secret."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chaosday.campaign.telling import receivers
from chaosday.campaign.telling.delivering import Delivery
from chaosday.campaign.telling.telling import tell
from chaosday.clock import SystemClock
from chaosday.commands.tell import command
from chaosday.servers.ports import free_port
from tests.campaign.many_runs import ARun, write

pytestmark = pytest.mark.lab
CANARY = "canary-5f1d0c"


class Heard:
    """What an HTTP receiver was sent; ``answers`` are given in turn, the last for ever."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    def answer(self) -> int:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def listening(*answers: int) -> Iterator[Heard]:
    """A real HTTP receiver on this machine."""
    heard = Heard(*(answers or (204,)))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            heard.headers.append(dict(self.headers))
            code = heard.answer()
            self.send_response(code)
            if code == 302:
                self.send_header("Location", heard.url + "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield heard
    server.shutdown()
    server.server_close()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A violation, an old violation, a pass, and a run whose fault is still on."""
    root = tmp_path / "runs"
    now = datetime.now(UTC)
    write(root, ARun(now - timedelta(days=1), outcome="violated", lost=3, token="0bad00"))
    write(root, ARun(now - timedelta(days=90), outcome="violated", lost=3, token="0old00"))
    write(root, ARun(now - timedelta(days=2), token="0good0"))
    write(root, ARun(now - timedelta(hours=3), outcome="revert_failed", fault_stays_open=True, token="0open0"))
    return root


def told(runs: Path, **fields: Any) -> list[Delivery]:
    """Once round."""
    file = runs.parent / "told.yaml"
    file.write_text(yaml.safe_dump(fields))
    return tell(file, runs, SystemClock())


def test_a_webhook_gets_cloud_events_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event for each run of late that was no pass, whole and with its token; the next round has nothing to say."""
    monkeypatch.setenv("TOKEN", CANARY)
    with listening() as heard:
        webhook = {"kind": "webhook", "url": heard.url, "token_env": "TOKEN"}
        (did,) = told(runs, receivers=[webhook])
        assert (did.told, did.waiting) == (2, 0)
        assert told(runs, receivers=[webhook])[0].told == 0
    events = [json.loads(body) for body in heard.bodies]
    assert [each["type"] for each in events] == ["org.chaosday.run.violated", "org.chaosday.run.revert_failed"]
    assert all({"specversion", "id", "source", "type"} <= each.keys() for each in events)
    assert events[0]["data"]["lost"] == 3 and heard.headers[0]["Authorization"] == f"Bearer {CANARY}"
    assert heard.headers[0]["Content-Type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize("answer", [500, 429, 404, 302])
def test_what_was_refused_is_told_again(runs: Path, answer: int) -> None:
    """Until it is taken, under the same id, never to an address that it was sent on to; or until it is given up."""
    with listening(answer, answer, 200) as heard:
        webhook = {"kind": "webhook", "url": heard.url}
        (first,) = told(runs, receivers=[webhook])
        assert (first.told, first.waiting) == (0, 2) and str(answer) in first.why
        (second,) = told(runs, receivers=[webhook])
        assert (second.told, second.waiting) == (2, 0)
    ids = [json.loads(body)["id"] for body in heard.bodies]
    assert ids[:2] == ids[2:] and len(ids) == 4
    with listening(answer) as heard:
        webhook = {"kind": "webhook", "url": heard.url}
        for _ in range(3):
            (last,) = told(runs, receivers=[webhook], tries=2)
        assert len(last.given_up) == 2 and len(heard.bodies) == 4


def test_a_dead_receiver_holds_up_nobody(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes connections and never answers is left after a bounded time, and the next one is told."""
    monkeypatch.setattr(receivers, "ANSWER_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, listening() as heard:
        dead = {"kind": "webhook", "url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        nobody = {"kind": "mail", "port": free_port(), "to": ["a@example.org"]}
        began = time.monotonic()
        did = told(runs, receivers=[dead, nobody, {"kind": "webhook", "url": heard.url}])
        assert [each.told for each in did] == [0, 0, 2]
        assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "address",
    [f"https://user:{CANARY}@127.0.0.1/x", f"http://127.0.0.1:9/T0 {CANARY}", "http://127.0.0.1:x/", "http://["],
)
def test_an_address_that_is_none_is_said_without_its_secret(
    runs: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """It is told as one that does not answer, and the next receiver hears all of it."""
    monkeypatch.setenv("HOOK", address)
    with listening() as heard:
        wrong = {"kind": "webhook", "url_env": "HOOK"}
        did = told(runs, receivers=[wrong, {"kind": "webhook", "url": heard.url}])
    assert [each.told for each in did] == [0, 2]
    assert did[0].why and CANARY not in str(did)


def test_a_receiver_that_does_not_speak_http(runs: Path) -> None:
    """Whatever it answers is one line, and no end of all the others."""
    with socket.create_server(("127.0.0.1", 0)) as odd, listening() as heard:

        def answers() -> None:
            for _ in range(2):
                taken, _address = odd.accept()
                with taken:
                    taken.recv(65_536)
                    taken.sendall(b"220 mail.example ESMTP\r\n")

        threading.Thread(target=answers, daemon=True).start()
        there = {"kind": "webhook", "url": f"http://127.0.0.1:{odd.getsockname()[1]}"}
        did = told(runs, receivers=[there, {"kind": "webhook", "url": heard.url}])
    assert [each.told for each in did] == [0, 2] and "does not answer" in did[0].why


def test_two_files_to_one_receiver_tell_it_once(runs: Path) -> None:
    """What one has told is not forgotten by the other."""
    with listening() as heard:
        webhook = {"kind": "webhook", "url": heard.url}
        for _ in range(2):
            told(runs, receivers=[webhook])
            told(runs, receivers=[webhook], outcomes=["pass"])
    assert len(heard.bodies) == 3


@pytest.mark.parametrize(
    "receiver",
    [
        {"kind": "webhook", "url": "http://hooks.example/x", "token_env": "TOKEN"},
        {"kind": "webhook", "url_env": "ADDRESS"},
        {"kind": "mail", "host": "mail.example", "user": "ada", "password_env": "TOKEN"},
    ],
)
def test_no_secret_goes_over_an_open_line(
    runs: Path, monkeypatch: pytest.MonkeyPatch, receiver: dict[str, str]
) -> None:
    """A token or a password to another host needs TLS; it is said before anybody is connected to."""
    monkeypatch.setenv("TOKEN", CANARY)
    monkeypatch.setenv("ADDRESS", f"http://hooks.example/{CANARY}")
    (did,) = told(runs, receivers=[receiver])
    assert did.told == 0 and CANARY not in did.why and ("https://" in did.why or "TLS" in did.why)


def test_a_letter(runs: Path) -> None:
    """A real SMTP server gets a letter that says what happened, with an id that is the same if it comes again."""

    class Box:
        letters: list[bytes] = []

        async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
            self.letters.append(envelope.content)
            return "250 taken"

    box = Box()
    post = Controller(box, hostname="127.0.0.1", port=free_port())
    post.start()
    try:
        (did,) = told(runs, receivers=[{"kind": "mail", "host": "127.0.0.1", "port": post.port, "to": ["a@b.org"]}])
    finally:
        post.stop()
    assert did.told == 2
    assert b"failover: violated: violated: 3 lost" in box.letters[0] and b"@chaosday>" in box.letters[0]


def test_whatever_apprise_knows(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of apprise's leads to a real receiver."""
    pytest.importorskip("apprise")
    with listening(200) as heard:
        monkeypatch.setenv("CHANNEL", heard.url.replace("http://", "json://"))
        (did,) = told(runs, receivers=[{"kind": "apprise", "url_env": "CHANNEL"}])
    assert did.told == 2 and "failover: violated" in json.loads(heard.bodies[0])["message"]


def test_a_trace_shows_what_was_done(runs: Path) -> None:
    """A collector gets each run as one trace: phases and faults at the journal's times; sent again it is the same."""
    with listening(500, 200) as heard:
        for _ in range(2):
            did = told(runs, traces=f"{heard.url}/v1/traces", outcomes=["violated"])
        assert did[-1].waiting == 0
    found = []
    for body in heard.bodies:
        request = ExportTraceServiceRequest.FromString(body)
        found.append([span for one in request.resource_spans for all_ in one.scope_spans for span in all_.spans])
    traces = {spans[0].trace_id for spans in found}
    assert len(traces) == 3  # of late: two that were no pass, and one that was
    (bad,) = [each for each in found if "violated" in str(each[0].attributes)][-1:]
    fault = next(span for span in bad if span.name == "fault process.kill")
    whole = next(span for span in bad if span.name == "run")
    assert fault.parent_span_id == whole.span_id and fault.trace_id == whole.trace_id
    assert whole.start_time_unix_nano < fault.start_time_unix_nano < fault.end_time_unix_nano
    assert {"phase preflight", "phase verdict"} <= {span.name for span in bad}


def test_metrics_for_prometheus(runs: Path, tmp_path: Path) -> None:
    """The text format, whole: counts by outcome and the bound."""
    write(runs, ARun(datetime.now(UTC), title='a "title"\n', token="0title"))
    told(runs, textfile=str(tmp_path / "chaosday.prom"))
    text = (tmp_path / "chaosday.prom").read_text()
    assert 'chaosday_runs_total{experiment="failover",outcome="violated"} 2' in text
    assert '{experiment="a \\"title\\"\\n",outcome="pass"} 1' in text
    assert all(line.startswith(("#", "chaosday_")) for line in text.splitlines())


def test_nobody_is_told_a_secret(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens and secret addresses are in no body, no state, and nothing that is printed, delivered or not."""
    monkeypatch.setenv("TOKEN", CANARY)
    monkeypatch.setenv("SECRET_URL", f"http://127.0.0.1:{free_port()}/{CANARY}")
    monkeypatch.setenv("BROKEN_URL", f"http://[{CANARY}/x")
    with listening(500, 200) as heard:
        file = tmp_path / "told.yaml"
        file.write_text(
            yaml.safe_dump(
                {
                    "receivers": [
                        {"kind": "webhook", "url": heard.url, "token_env": "TOKEN"},
                        {"kind": "webhook", "url_env": "SECRET_URL"},
                        {"kind": "webhook", "url_env": "BROKEN_URL"},
                        {"kind": "webhook", "url": f"http://127.0.0.1:{free_port()}/services/{CANARY}?{CANARY}"},
                        {"kind": "mail", "port": free_port(), "user": "u", "password_env": "TOKEN", "to": ["a@b.org"]},
                    ]
                }
            )
        )
        done = CliRunner().invoke(command, [str(file), str(runs)], standalone_mode=False)
    assert done.return_value == 69, done.output
    assert CANARY not in done.output and "does not answer" in done.output
    assert not [body for body in heard.bodies if CANARY.encode() in body]
    assert not [path for path in runs.glob("told-*") if CANARY in path.read_text()]
