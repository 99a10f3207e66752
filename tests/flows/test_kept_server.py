"""The server that a user's commands share: found, believed only where it is ours and lives, and gone when idle."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, temporary_settings

from chaosday.errors import Unavailable, UsageError
from chaosday.processes.process_table import identity, is_running
from flows import kept_server, temporary_server
from flows.kept_server import IDLE, Kept, Place, end, environment_of_a_server, idle_s

ROOT = Path(__file__).parents[2]
IDLER = "import sys; from pathlib import Path; from flows.kept_server import Place, _end_when_idle as idle; "
USER = """
import json, os, sys
from flows.session import prefect_session
with prefect_session():
    from prefect import get_client
    with get_client(sync_client=True) as client:
        client.read_flows(limit=1)
        print(client.api_url, os.environ.get("PREFECT_API_AUTH_STRING"), flush=True)
    if sys.argv[1:]:
        sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder as Prefect's home has it."""
    return Place.of(tmp_path / "home")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a server."""
    with subprocess.Popen(["sleep", "600"]) as started:
        yield started
        started.kill()


def of(process: subprocess.Popen[bytes]) -> Kept:
    """It, written down."""
    return Kept(process.pid, identity(process.pid).started, 4242, "chaosday:canary")


WRONG: dict[str, Callable[[Path], object]] = {
    "others may read and write it": lambda path: path.chmod(0o666),
    "no JSON": lambda path: path.write_text("{"),
    "a list": lambda path: path.write_text("[]"),
    "another process of that number": lambda path: path.write_text(
        json.dumps(json.loads(path.read_text()) | {"started": "1@1"})
    ),
    "a link": lambda path: path.symlink_to(path.rename(path.with_name("x"))),
    "nothing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_only_a_server_of_ours_that_lives_is_believed(
    place: Place, process: subprocess.Popen[bytes], wrong: Callable[[Path], object]
) -> None:
    """What is written down is read again, for its owner alone; anything that is not quite right is no server."""
    place.write(of(process))
    assert place.read() == of(process)
    assert place.path("json").stat().st_mode & 0o777 == 0o600 and place.folder.stat().st_mode & 0o777 == 0o700
    wrong(place.path("json"))
    assert place.read() is None


def test_a_server_that_died_is_none(place: Place, process: subprocess.Popen[bytes]) -> None:
    """Its file alone says nothing."""
    place.write(of(process))
    end(of(process).process)
    assert process.wait() == -signal.SIGTERM
    assert place.read() is None


def test_another_home_or_database_has_a_server_of_its_own(tmp_path: Path) -> None:
    """Each combination has names of its own in the folder."""
    keys = {Place.of(tmp_path, *more).key for more in ((), ("sqlite:///a",), ("sqlite:///b",))}
    assert len(keys | {Place.of(tmp_path / "other").key}) == 4


def test_another_database_is_another_server() -> None:
    """Also where its address holds a password, which Prefect's settings show as stars."""
    told = set()
    for name in ("a", "b"):
        with temporary_settings(updates={PREFECT_SERVER_DATABASE_CONNECTION_URL: f"postgresql+asyncpg://u:p@h/{name}"}):
            told.add(temporary_server._settings_of_a_server())
    assert len(told) == 2


def test_who_waits_for_the_start_is_told_for_whom(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that was stopped while it starts the server keeps nobody waiting in silence, or for ever."""
    monkeypatch.setattr(kept_server, "SILENT_S", 0.1)
    monkeypatch.setattr(kept_server, "TURN_S", 0.5)
    with place.locked(), pytest.raises(Unavailable, match=IDLE), place.locked_in_turn():
        pass
    assert "waiting for another command" in capsys.readouterr().err
    with place.locked_in_turn():
        pass


def test_a_silent_server_that_others_use_is_not_ended(place: Place, process: subprocess.Popen[bytes]) -> None:
    """To those it may answer again; with nobody there it is ended."""
    kept = of(process)
    with place.locked("users", fcntl.LOCK_SH), pytest.raises(Unavailable, match="other commands use it"):
        temporary_server._end_unused(place, kept)
    assert process.poll() is None
    temporary_server._end_unused(place, kept)
    assert process.wait() == -signal.SIGTERM


def test_a_stranger_on_the_port_is_not_our_server() -> None:
    """Whoever answers there has to be the very process that we started."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        assert temporary_server._listens(os.getpid(), port)
        assert not temporary_server._listens(os.getppid(), port)


def idler(place: Place) -> subprocess.Popen[bytes]:
    """A process that ends as a server does, after half a second without use; it is written down."""
    words = f"idle(Place(Path({str(place.folder)!r}), {place.key!r}), 0.5)"
    started = subprocess.Popen([sys.executable, "-c", IDLER + words], cwd=ROOT)
    place.write(Kept(started.pid, identity(started.pid).started, 1, "a:b"))
    return started


def test_it_stays_while_it_is_used_and_ends_when_it_is_not(place: Place) -> None:
    """A user holds it, and one that is killed holds it no more: nothing stays for ever."""
    hold = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH); print(flush=True); "
    hold += "time.sleep(600)"
    place.path("users").touch()
    with (
        subprocess.Popen([sys.executable, "-c", hold, place.path("users")], stdout=subprocess.PIPE) as user,
        idler(place) as server,
    ):
        assert user.stdout is not None
        user.stdout.readline()
        time.sleep(3)
        used = is_running(place.read().process) if place.read() else False  # type: ignore[union-attr]
        user.kill()
        assert used
        assert server.wait(timeout=300) == -signal.SIGTERM
    assert not place.path("json").exists()


def test_nobody_loses_the_server_between_finding_and_using_it(place: Place) -> None:
    """While somebody looks for it, it is not taken away, however long it has been idle."""
    looking = place.opened("lock")
    fcntl.flock(looking, fcntl.LOCK_EX)
    with idler(place) as server:
        time.sleep(3)
        found = place.read()
        os.close(looking)
        assert found is not None
    assert server.returncode == -signal.SIGTERM


def test_it_is_told_no_secret_of_the_command_that_starts_it() -> None:
    """Passwords in the environment of one command are not kept for ten minutes in another process."""
    given = {"PGPASSWORD": "canary", "AWS_SECRET_ACCESS_KEY": "canary", "PATH": "/bin", "PREFECT_HOME": "/h"}
    assert environment_of_a_server(given) == {"PATH": "/bin", "PREFECT_HOME": "/h"}


@pytest.mark.parametrize(
    ("given", "found"), [("", 600), ("0", 0), ("30", 30), ("-1", None), ("x", None), ("nan", None)]
)
def test_how_long_it_stays_can_be_said(monkeypatch: pytest.MonkeyPatch, given: str, found: float | None) -> None:
    """Ten minutes, or as said; anything else is a mistake that is named."""
    monkeypatch.setenv(IDLE, given)
    if found is not None:
        assert idle_s() == found
    else:
        with pytest.raises(UsageError, match=IDLE):
            idle_s()


@pytest.mark.lab
def test_two_commands_at_once_start_one_server_and_a_third_finds_it(tmp_path: Path) -> None:
    """It outlives a user that is killed, and its login is in nobody's environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    told = {**clean, "PREFECT_HOME": str(tmp_path), IDLE: "600"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", USER, "stay"],
            cwd=ROOT, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        said = {each.stdout.readline() for each in both if each.stdout is not None}
        for each in both:
            each.kill()
            each.communicate()
        third = subprocess.run(
            [sys.executable, "-c", USER], cwd=ROOT, env=told, capture_output=True, text=True, check=True
        )
        assert said == {third.stdout}
        assert third.stdout.startswith("http://127.0.0.1:") and third.stdout.endswith("None\n")
    finally:
        for path in (tmp_path / "chaosday").glob("kept-*.json"):
            end(Kept(**json.loads(path.read_text())).process)
    assert len(list((tmp_path / "chaosday").glob("kept-*.json"))) == 1
