"""A whole game day with capture the flag, played by a team that knows nothing but its own backups."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chaosday.clock import SystemClock
from chaosday.drills.gameday.board import Board, Claim
from chaosday.drills.gameday.day import GameDay, parse_day
from chaosday.record.run_directory import RunDirectory
from chaosday.servers.postgres import Node
from flows.gameday import gameday
from tests.lab.browser import OUTPUT, browser
from tests.reporting.pages.looking import assert_sound, looked_at

ROWS, FILES = 50, 3
PATIENCE_S = 200
COMPARE = "select id, customer from {} order by id"


class Team(threading.Thread):
    """Compares the orders and their exports with a backup of its own, says what it sees, repairs, says so."""

    def __init__(
        self, board: Board, journal: Path, connection: psycopg.Connection, exports: Path, backup: Path
    ) -> None:
        super().__init__(daemon=True)
        self.journal = journal
        self.board, self.connection, self.exports, self.backup = board, connection, exports, backup
        self.kept = self.connection.execute(COMPARE.format("orders")).fetchall()
        self.repaired: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            for place, damaged, repair in (
                ("orders table", self._rows_differ, self._repair_rows),
                ("exports", self._files_differ, self._repair_files),
            ):
                if damaged():
                    self._wait_for_the_measurement()
                    self._say("detect")
                    self._say("localise", place)
                    repair()
                    self._say("mitigate")
                    self.repaired.append(place)

    def _wait_for_the_measurement(self) -> None:
        """No team is so fast that it repairs a thing before the fault's effect on it was measured; this one might."""
        while '"attested"' not in self.journal.read_text().rpartition('"injecting"')[2] and not self.over.wait(0.02):
            pass

    def _say(self, stage: str, where: str = "") -> None:
        self.board.claim(Claim.model_validate({"team": "red", "stage": stage, "where": where}))

    def _rows_differ(self) -> bool:
        return self.connection.execute(COMPARE.format("orders")).fetchall() != self.kept

    def _repair_rows(self) -> None:
        with self.connection.transaction():
            self.connection.execute("delete from orders")
            with self.connection.cursor() as cursor:
                cursor.executemany("insert into orders values (%s, %s)", self.kept)

    def _files_differ(self) -> bool:
        return any(_digest(self.exports / kept.name) != _digest(kept) for kept in self.backup.iterdir())

    def _repair_files(self) -> None:
        for kept in self.backup.iterdir():
            shutil.copy2(kept, self.exports / kept.name)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "absent"


@pytest.fixture
def orders(pair: tuple[Node, Node]) -> Iterator[psycopg.Connection]:
    """A table of orders that says of itself that it may be hurt."""
    primary, _ = pair
    address = f"host=127.0.0.1 port={primary.port} user=postgres password={primary.password} dbname=postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("create table orders (id int primary key, customer text)")
        connection.execute("comment on table orders is 'chaosday-scratch'")
        connection.execute("insert into orders select n, 'customer ' || n from generate_series(1, %s) n", [ROWS])
        yield connection
        connection.execute("drop table orders")


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """Files beside a mark that says that they may be hurt."""
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / ".chaosday-scratch").touch()
    for number in range(FILES):
        (folder / f"orders-{number}.csv").write_text(f"{number},customer\n" * 2000)
    shutil.copytree(folder, tmp_path / "backup", ignore=shutil.ignore_patterns(".*"))
    return folder


def _day(primary: Node, exports: Path, leases: Path) -> GameDay:
    rows = {"kind": "data.rows", "target": "database", "table": "public.orders", "accept_weak_lease": True}
    files = {"kind": "data.files", "target": "here", "path": str(exports), "match": "*.csv"}
    healthy = {"kind": "postgresql.query", "target": "database", "query": "select 1", "at_least": 1}
    person = {"contact": "#gameday"}
    return parse_day(
        {
            "title": "Orders on a bad day",
            "targets": {
                "database": {"kind": "postgresql", "port": primary.port, "password": primary.password},
                "here": {"kind": "local_host", "state_dir": str(leases)},
            },
            "systems": [
                {
                    "name": "orders",
                    "owner": "ada",
                    "contact": "#orders",
                    "slo": "99.9 % answered within 300 ms",
                    "downtime_cost_per_minute": 450,
                    "monitors": [{"name": "it answers", "probe": healthy}],
                }
            ],
            "people": [
                {"name": name, "role": role, **person}
                for name, role in (("ada", "leader"), ("ben", "observer"), ("cleo", "stopper"), ("red", "team"))
            ],
            "abort": [{"when": "the database does not answer", "guard": {"probe": healthy, "every_s": 0.5}}],
            "phases": [
                {"name": "briefing", "pause": False},
                {"name": "hunt", "kind": "hunt", "pause": False},
                {"name": "debriefing", "pause": False},
            ],
            "flags": {
                "patience_s": PATIENCE_S,
                "gap_min_s": 0.3,
                "gap_max_s": 0.6,
                "max_targets": 5,
                "options": [
                    {
                        "name": "customers are missing",
                        "where": "orders table",
                        "fault": {**rows, "damage": "null", "column": "customer", "count": 4},
                    },
                    {"name": "orders are gone", "where": "orders table", "fault": {**rows, "damage": "delete"}},
                    {"name": "an export is cut off", "where": "exports", "fault": {**files, "damage": "truncate"}},
                    {"name": "a bit is turned", "where": "exports", "fault": {**files, "damage": "flip"}},
                ],
            },
            "outages": {"first": "2025-07-01", "since": "2026-07-01"},
        }
    )


def test_a_day_is_played_and_scored(
    prefect_api: None,
    runs: Path,
    pair: tuple[Node, Node],
    orders: psycopg.Connection,
    exports: Path,
    tmp_path: Path,
) -> None:
    """Every sealed flag is found, named and repaired by a team that compares with its backup; the score is that of
    the seals, which fit what was published before the start; and everything is as it was."""
    day = _day(pair[0], exports, tmp_path / "leases")
    directory = RunDirectory.create(runs, day.title, SystemClock())
    team: list[Team] = []

    def when_it_has_a_board() -> None:
        while not (directory.path / "board.jsonl").exists():
            time.sleep(0.02)
        team.append(Team(Board.of(directory.path), directory.journal_path, orders, exports, tmp_path / "backup"))
        team[0].start()

    threading.Thread(target=when_it_has_a_board, daemon=True).start()
    state = gameday(day, directory.path, pauses="none", return_state=True)
    team[0].over.set()
    team[0].join(120)
    assert state.name == "pass", state.message

    game = directory.read_json("game.json")
    published = directory.read_json("flags.sealed.json")["sha256"]
    assert len(published) == len(game["played"]) == 4
    assert all(flag["bit"] for flag in game["played"])
    # The places that the team repaired, in its order, are those that were sealed before it began.
    assert [flag["where"] for flag in game["played"]] == team[0].repaired
    (score,) = game["scores"]
    assert (score["team"], score["captured"], score["false_alarms"]) == ("red", 4, 0)
    for flag in score["flags"]:
        assert 0 <= flag["detected_s"] <= flag["localised_s"] <= flag["mitigated_s"] <= PATIENCE_S
        assert flag["wrong_places"] == 0
    assert orders.execute(COMPARE.format("orders")).fetchall() == team[0].kept
    assert not any(_digest(exports / kept.name) != _digest(kept) for kept in (tmp_path / "backup").iterdir())
    page = (directory.path / "report.html").read_text()
    assert all(flag["name"] in page for flag in game["played"])
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "game-day.json").write_text(json.dumps(game))
    with browser() as chromium:
        assert_sound(looked_at(chromium, directory.path / "report.html", "game-day"))


def test_a_day_that_nobody_can_answer_for_does_not_begin(
    prefect_api: None, runs: Path, pair: tuple[Node, Node], orders: psycopg.Connection, exports: Path, tmp_path: Path
) -> None:
    """Without an owner, or anybody who may stop it, nothing is sealed or hurt; it says what is missing."""
    whole = _day(pair[0], exports, tmp_path / "leases")
    nobody = [person for person in whole.people if person.role != "stopper"]
    systems = [whole.systems[0].model_copy(update={"owner": ""})]
    day = whole.model_copy(update={"people": nobody, "systems": systems})
    directory = RunDirectory.create(runs, day.title, SystemClock())
    state = gameday(day, directory.path, pauses="none", return_state=True)
    assert state.name == "inconclusive"
    assert "owner" in state.message and "stopper" in state.message
    assert not (directory.path / "flags.sealed.json").exists()
    assert "injecting" not in (directory.path / "journal.jsonl").read_text()
