"""The door before Prefect's server lets in what is ours, and the login gets to no child's environment."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chaosday.errors import Unavailable, UsageError
from chaosday.processes.umask import GIVEN, TOLD
from flows.door import LOGIN_PATH, TICKET, Door, Guarded, names_of
from flows.login import CLIENT, PROFILE, SERVER, Login, login_for, take_ticket, without_login
from flows.serve import command
from flows.served import Served, login_of

WORDS = "chaosday:canary'</script>"
OWN = "127.0.0.1:4200"


def asked(
    door: Door, kind: str = "http", path: str = "/api/x", query: str = "", **headers: str
) -> list[dict[str, Any]]:
    """What a request gets to see; what is behind the door answers 204 and accepts every socket."""
    sent: list[dict[str, Any]] = []

    async def behind(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        started = {"type": "http.response.start", "status": 204, "headers": []}
        await send({"type": "websocket.accept"} if scope["type"] == "websocket" else started)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    given = [(name.rstrip("_").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": "GET", "path": path, "query_string": query.encode(), "headers": given}
    asyncio.run(Guarded(behind, door)(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("headers", "in_"),
    [
        ({"host": OWN}, True),
        ({"host": "LOCALHOST:4200"}, True),
        ({"host": "[::1]:4200", "origin": "http://[::1]:4200"}, True),
        ({"host": OWN, "origin": f"http://{OWN}"}, True),
        ({}, False),
        ({"host": "127.0.0.1"}, False),
        ({"host": "127.0.0.1:4201"}, False),
        ({"host": "rebound.example:4200"}, False),
        ({"host": OWN, "host_": "rebound.example:4200"}, False),
        ({"host": OWN, "origin": "http://rebound.example:4200"}, False),
        ({"host": OWN, "origin": "http://127.0.0.1:8000"}, False),
        ({"host": OWN, "origin": "null"}, False),
        ({"host": OWN, "origin": f"https://{OWN}"}, False),
        ({"host": OWN, "origin": "http://["}, False),
        ({"host": OWN, "origin": f"http://{OWN}", "origin_": "null"}, False),
    ],
)
def test_only_our_own_names_and_pages(headers: dict[str, str], in_: bool) -> None:
    """A name that was turned to our address, and a page of somebody's: neither requests nor sockets of theirs."""
    door = Door(WORDS, names_of("127.0.0.1", 4200))
    (first, *_) = asked(door, **headers)
    assert first["status"] == (204 if in_ else 403)
    (first, *_) = asked(door, "websocket", **headers)
    assert first["type"] == ("websocket.accept" if in_ else "websocket.close")


def test_a_port_that_goes_without_saying_is_not_said() -> None:
    """A browser leaves :80 out of what it calls us and of where its page is from, and no other port."""
    door = Door(WORDS, names_of("::1", 80))
    for name in ("localhost", "127.0.0.1", "[::1]", "localhost:80"):
        assert not door.refuses([name], [f"http://{name}"])
    assert door.refuses(["localhost:4200"], [])


def test_a_link_logs_in_once(tmp_path: Path) -> None:
    """The page sets what the UI sends; whoever finds the link afterwards finds nothing behind it."""
    login = Login(tmp_path, WORDS)
    door = Door(WORDS, names_of("127.0.0.1", 4200), str(tmp_path), "http://127.0.0.1:4201/login?ticket=")
    query = f"ticket={login.ticket(TICKET)}"
    for wrong in ("", "ticket=", "ticket=x"):
        assert asked(door, path=LOGIN_PATH, query=wrong, host=OWN)[0]["status"] == 403
    start, body = asked(door, path=LOGIN_PATH, query=query, host=OWN)
    assert start["status"] == 200
    assert b"prefect-password" in body["body"]
    assert body["body"].count(b"</script>") == 1
    assert asked(door, path=LOGIN_PATH, query=query, host=OWN)[0]["status"] == 403


def test_a_login_that_others_could_read_is_refused(tmp_path: Path) -> None:
    """As is a link in its place: what somebody else put there, or has read, opens nothing."""
    login = Login.of(tmp_path)
    ticket = login.ticket(TICKET)
    (login.folder / f"{TICKET}.ticket").chmod(0o644)
    assert not take_ticket(login.folder, TICKET, ticket)
    (login.folder / "login").chmod(0o644)
    with pytest.raises(Exception, match="may be read by others"):
        Login.of(tmp_path)


def test_clients_of_the_served_address_log_in_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The login is told to that address and to no other, and to none once it is served no more."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    login = Login.of(tmp_path)
    odd = 'a "quoted" \\ line\nand another'
    with login.served():
        login.write_profile({"PREFECT_LOGGING_LEVEL": odd, SERVER: "no:no"}, "http://127.0.0.1:4200/api")
        profile = tomllib.loads(login.profiles.read_text())["profiles"][PROFILE]
        assert profile == {
            "PREFECT_LOGGING_LEVEL": odd, "PREFECT_API_URL": "http://127.0.0.1:4200/api", CLIENT: login.words,
        }  # fmt: skip
        # Whoever starts a second one is sent away, and the login of the first stays.
        second = CliRunner().invoke(command, ["--port", "4205"]).exception
        assert isinstance(second, Unavailable) and "PREFECT_HOME" in str(second)
        assert login_for("http://localhost:4200/api/") == login.words
        for other in ("http://127.0.0.1:4201/api", "https://127.0.0.1:4200/api", "http://prefect.example:4200/api"):
            assert login_for(other) is None
    assert login_for("http://127.0.0.1:4200/api") is None


def test_other_machines_are_not_served_without_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has switched it off gets an error before anything starts; a login of their own is taken over."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv(SERVER, "")
    for host in ("0.0.0.0", "::", "192.0.2.7", "db.example"):
        with pytest.raises(UsageError, match="unset it"):
            login_of(host)
    assert isinstance(CliRunner().invoke(command, ["--host", "0.0.0.0"]).exception, UsageError)
    assert login_of("127.0.0.1").words.startswith("chaosday:")
    monkeypatch.setenv(SERVER, "ann:canary")
    assert login_of("0.0.0.0").words == "ann:canary"


def test_a_run_is_told_whose_umask_it_has(tmp_path: Path) -> None:
    """Ours is strict, and what a run gives to others is as open as whoever started us lets it be."""
    assert Served("::1", 4200, 4201, Login(tmp_path, WORDS), tmp_path).environment()[TOLD] == f"{GIVEN:03o}"


def test_prefects_own_children_are_told_no_login() -> None:
    """A worker of Prefect's puts its settings into the environment of each flow run; ours leaves the login out."""
    program = (
        "from flows.login import settle; from flows.sealed import seal; from prefect import settings as s\n"
        "settle({s.PREFECT_API_AUTH_STRING: 'a:canary', s.PREFECT_LOGGING_LEVEL: 'ERROR'}); seal()\n"
        "now = s.get_current_settings()\n"
        "said = now.to_environment_variables(exclude_unset=True)\n"
        "print(now.api.auth_string.get_secret_value(), 'canary' in str(said), said['PREFECT_LOGGING_LEVEL'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["a:canary", "False", "ERROR"]
    assert without_login({CLIENT: "x", SERVER: "y", "PATH": "z"}) == {"PATH": "z"}
