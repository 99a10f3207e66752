"""The server of reports shows reports to whoever has the login, and the documentation; nothing beside them."""

from __future__ import annotations

import base64
import http.client
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.servers.ports import free_port
from flows.door import REPORTS_TICKET, Door, names_of
from flows.evidence_server import REPORT, server
from flows.login import Login
from tests.attackers import STRANGER, needs_root, stranger

WORDS = "chaosday:canary:0f3a"
FILES = (
    "runs/one/report.html", "runs/one/journal.jsonl", "runs/one/flags.secret.json", "runs/one/verdict.json",
    "runs/one/plan.html", "runs/one/copy/report.html", "runs/.hidden/report.html", "runs/report.html",
    "docs/page.md", "docs/.secret.md", "docs/key.pem", "outside.md",
)  # fmt: skip


class Client:
    """Asks the server, with the login unless told otherwise."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, words: str = WORDS, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        said = {"Host": f"127.0.0.1:{self.port}"} | headers
        if words:
            said["Authorization"] = f"Basic {base64.b64encode(words.encode()).decode()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(said.pop("Method", "GET"), path, skip_host=True)
            for name, value in said.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.headers)
        finally:
            connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Things to see and things not to."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"<p>{name}</p>")
    for folder in (tmp_path / "runs").rglob("*"):
        folder.chmod(0o700)
    (tmp_path / "docs" / "link.md").symlink_to(tmp_path / "outside.md")
    for run in ("linked", "turned"):
        (tmp_path / "runs" / run).mkdir(mode=0o700)
    (tmp_path / "runs" / "linked" / REPORT).symlink_to(tmp_path / "runs" / "one" / "journal.jsonl")
    (tmp_path / "runs" / "elsewhere").symlink_to(tmp_path / "runs" / "one")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    """The server over them."""
    port = free_port()
    door = Door(WORDS, names_of("127.0.0.1", port), str(folder), "http://127.0.0.1:4200/deployments")
    serving = server("127.0.0.1", port, {"runs": folder / "runs", "docs": folder / "docs"}, door)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield Client(port)
    serving.shutdown()
    serving.server_close()


def test_a_report_is_shown(client: Client) -> None:
    """With its type, and with a policy under which it can load nothing from elsewhere and stand in nobody's frame."""
    status, body, headers = client.ask("/runs/one/report.html")
    assert (status, body) == (200, b"<p>runs/one/report.html</p>")
    assert headers["Content-Type"].startswith("text/html")
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(headers["Content-Security-Policy"].split("; "))
    status, body, headers = client.ask("/runs/one/report.html", Method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "27")


@pytest.mark.parametrize(
    "path",
    [
        "/", "/runs", "/runs/", "/runs/one", "/runs/one/", "/runs/one/absent.html", "/runs/../outside.md",
        "/docs/%2e%2e/outside.md", "/runs//etc/passwd", "/runs/.hidden/report.html", "/runs/report.html",
        "/runs/../report.html", "/runs/one/journal.jsonl", "/runs/one/flags.secret.json", "/runs/one/verdict.json",
        "/runs/one/plan.html", "/runs/one/copy/report.html", "/runs/one%2fcopy/report.html",
        "/runs/linked/report.html", "/runs/elsewhere/report.html", "/docs/link.md", "/docs/.secret.md",
        "/docs/key.pem", "/etc/passwd", "/runs/one%00/report.html", "/docs/a%00.md",
        f"/docs/{'x' * 300}.md", "//[/runs",
    ],
)  # fmt: skip
def test_nothing_else_is(client: Client, path: str) -> None:
    """No listing, no way out by dots or links, no journal, no flag that is sealed, nothing below a run."""
    assert client.ask(path)[0] == 404


@pytest.mark.parametrize("words", ["", "chaosday:", ":", "chaosday:canary", f"{WORDS}x"])
def test_a_report_takes_the_login(client: Client, words: str) -> None:
    """Without it nothing of a run is told apart from nothing; the documentation is for everybody."""
    for path in ("/runs/one/report.html", "/runs/absent/report.html"):
        status, body, headers = client.ask(path, words)
        assert (status, b"one" in body, headers["WWW-Authenticate"].startswith("Basic ")) == (401, False, True)
    assert client.ask("/docs/page.md", words)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example:4201"}, {"Host": "127.0.0.1:1"}, {"Host": ""}, {"Origin": "http://evil.example"},
     {"Origin": "null"}],
)  # fmt: skip
def test_a_page_from_elsewhere_gets_nothing(client: Client, headers: dict[str, str]) -> None:
    """Neither by a name of its own for our address nor from its own origin, even in a browser that is logged in."""
    for path in ("/runs/one/report.html", "/docs/page.md", "/login?ticket=x"):
        status, _, said = client.ask(path, **headers)
        assert status == 403
        assert "Access-Control-Allow-Origin" not in said


def test_it_listens_at_an_address_of_ipv6(folder: Path) -> None:
    """``serve --host ::1`` is one."""
    with server("::1", 0, {"runs": folder, "docs": folder}, Door(WORDS, [])) as serving:
        assert serving.server_address[0] == "::1"


def test_a_ticket_is_good_once(client: Client, folder: Path) -> None:
    """The first browser that brings it is told the login; the second one, and one with a wrong one, is not."""
    ticket = Login(folder, WORDS).ticket(REPORTS_TICKET)
    assert client.ask("/login?ticket=wrong", "")[0] == 403
    assert client.ask(f"/login?ticket={ticket}", "", Method="HEAD")[0] == 401  # somebody looks what there is
    status, body, headers = client.ask(f"/login?ticket={ticket}", "")
    assert (status, b"canary:0f3a" in body, headers["Cache-Control"]) == (200, True, "no-store")
    assert client.ask(f"/login?ticket={ticket}", "")[0] == 403


@needs_root
def test_a_report_of_somebody_else_is_not_shown(client: Client, folder: Path) -> None:
    """Whoever may write into a shared folder of runs shows no page under our name."""
    (folder / "runs" / "turned" / REPORT).write_text("<p>planted</p>")

    os.chown(folder / "runs" / "turned" / REPORT, STRANGER, STRANGER)
    assert client.ask("/runs/turned/report.html")[0] == 404


@needs_root
def test_the_login_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Another user of the machine reads neither it nor a ticket nor the profile, from the first moment on."""
    tmp_path.chmod(0o755)
    login = Login.of(tmp_path)
    login.ticket(REPORTS_TICKET)
    login.write_profile({}, "http://127.0.0.1:4200/api")
    assert login.fresh
    assert not Login.of(tmp_path).fresh
    for path in login.folder.iterdir():
        path.parent.chmod(0o755)
        assert path.stat().st_mode & 0o077 == 0
        assert stranger('cat "$1"', path).stdout == ""
