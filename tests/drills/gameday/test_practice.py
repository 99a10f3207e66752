"""Who practised is told by the rota and the runs, the stalest is next, and the book keeps what no run shows."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.cli import run as chaosday
from chaosday.clock import SystemClock
from chaosday.drills.gameday import practice, rota
from chaosday.drills.gameday.day import GameDay, parse_day
from chaosday.drills.gameday.practice import SURPRISE_S, practised, proposed, rota_of
from chaosday.drills.gameday.practice_book import Entry, PracticeBook, actions, ideas, pages
from chaosday.drills.gameday.readiness import monitors_now
from chaosday.drills.gameday.rota import shifts_in
from chaosday.errors import MalformedInput, UsageError
from chaosday.safety.guardrails import Window
from tests.campaign.many_runs import ARun, summary, write

pytestmark = pytest.mark.kernel
NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)  # a Wednesday
ALL_WEEK = Window(start="10:00", end="15:00")


class At(SystemClock):
    """A clock that stands."""

    def wall_ns(self) -> int:
        return int(NOW.timestamp()) * 10**9


def a_day(**fields: Any) -> GameDay:
    """Two systems, two people; ada was on call until ten days ago, red is from tomorrow on."""
    days = [(-40, -10, "ada"), (1, 8, "red"), (20, 27, "ada")]
    rota = [
        {"person": who, "start": NOW + timedelta(days=start), "end": NOW + timedelta(days=end)}
        for start, end, who in days
    ]
    systems = [
        {"name": "wiki", "downtime_cost_per_minute": 1},
        {"name": "orders", "owner": "ada", "downtime_cost_per_minute": 450, "experiments": ["failover"]},
    ]
    people = [{"name": "red", "role": "team"}, {"name": "ben", "role": "observer"}]
    return parse_day({"systems": systems, "people": people, "rota": rota, **fields})


@pytest.mark.parametrize(
    ("ago_days", "fields", "expected"),
    [
        (20, {}, "fresh"),
        (39, {}, "overdue"),
        (5, {}, "never"),  # nobody was on call
        (20, {"placebo": True}, "never"),
        (20, {"outcome": "inconclusive"}, "never"),
        (20, {"title": "another"}, "never"),
        (20, {"outcome": "violated", "lost": 1}, "fresh"),
        (-2, {}, "never"),  # of a clock that goes wrong
    ],
)
def test_a_drill_counts_for_whoever_was_on_call(ago_days: float, fields: dict[str, Any], expected: str) -> None:
    """A proven run in somebody's shift is theirs; a placebo, an unproven run or another experiment is nobody's."""
    day = a_day()
    run = summary(ARun(NOW - timedelta(days=ago_days), **fields))
    known = practised(day, rota_of(day, Path()), [run], [], At())
    assert [(each.system, each.person) for each in known] == [
        ("orders", "red"), ("orders", "ada"), ("wiki", "red"), ("wiki", "ada"),
    ]  # fmt: skip
    states = {(each.system, each.person): each.state for each in known}
    assert states.pop(("orders", "ada")) == expected and set(states.values()) == {"never"}


def test_a_drill_at_a_table_counts() -> None:
    """It stands in the book, for a system without an experiment as well."""
    at_ns = int((NOW - timedelta(days=3)).timestamp() * 1e9)
    entry = Entry(event="tabletop", person="Red", system="wiki", words="a lost laptop", at_ns=at_ns)
    known = practised(a_day(), [], [], [entry], At())
    assert {(each.system, each.person) for each in known if each.state == "fresh"} == {("wiki", "red")}


def test_the_stalest_is_next() -> None:
    """Never drilled before long ago, the dearest system first; where all are fresh there is none."""
    day = a_day()
    shifts = rota_of(day, Path())
    known = practised(day, shifts, [], [], At())
    first = proposed(day, shifts, known, At())
    assert first is not None and (first.person, first.system, first.experiment) == ("red", "orders", "failover")
    assert first.at == (NOW + timedelta(days=1)).isoformat()
    fresh = [each.model_copy(update={"state": "fresh", "last": NOW.isoformat()}) for each in known]
    assert proposed(day, shifts, fresh, At()) is None
    old = [*fresh[:2], fresh[2].model_copy(update={"state": "overdue", "last": "2025-01-01"}), fresh[3]]
    oldest = proposed(day, shifts, old, At())
    assert oldest is not None and (oldest.person, oldest.system) == ("red", "wiki") and "at a table" in oldest.words


def test_a_surprise_lies_in_a_shift_and_in_an_agreed_window() -> None:
    """All of it does, each seed draws another moment, and without a window there is no surprise."""
    day = a_day(surprise=[ALL_WEEK.model_dump()])
    shifts = rota_of(day, Path())
    known = practised(day, shifts, [], [], At())
    drawn = [proposed(day, shifts, known, At(), seed) for seed in range(20)]
    moments = [datetime.fromisoformat(each.at) for each in drawn if each]
    assert len(set(moments)) > 10
    for each in moments:
        assert ALL_WEEK.holds(each, SURPRISE_S) and shifts[1].holds(each)
        assert shifts[1].holds(each + timedelta(seconds=SURPRISE_S))
    without = proposed(a_day(), shifts, known, At(), 1)
    assert without is not None and not without.at and "no window" in without.words


def ical(*events: str) -> str:
    """A calendar of these events, lines as RFC 5545 has them."""
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{body}END:VCALENDAR\n".replace("\n", "\r\n")


TIMES = "DTSTART:20260302T090000Z\nDTEND:20260303T090000Z"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (f"{TIMES}\nSUMMARY:On Call - Ada - Primary", "2026-03-02T09:00:00+00:00"),
        (f'{TIMES}\nSUMMARY:On\n  call\nATTENDEE;CN="A: d";R=X:mailto:ada@example.org', "2026-03-02T09:00:00+00:00"),
        (
            "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260303T090000\nSUMMARY:Ada",
            "2026-03-02T09:00:00+01:00",
        ),
        ("DTSTART;VALUE=DATE:20260302\nDTEND;VALUE=DATE:20260303\nSUMMARY:Ada", "2026-03-02T00:00:00+00:00"),
        (
            f"BEGIN:VALARM\nSUMMARY:Ben\nEND:VALARM\n{TIMES}\nSUMMARY:Ada",
            "2026-03-02T09:00:00+00:00",
        ),
        (f"{TIMES}\nSUMMARY:Adalbert", ""),
        (f"{TIMES}\nSUMMARY:Ada\nSTATUS:CANCELLED", ""),
    ],
)  # fmt: skip
def test_a_rota_is_read_from_ical(tmp_path: Path, event: str, expected: str) -> None:
    """By attendee or summary, with zones, whole days and folded lines; who is not named has no shift."""
    (tmp_path / "rota.ics").write_text(ical(event))
    found = shifts_in(tmp_path / "rota.ics", ["ada", "ben"])
    assert [(each.person, each.start.isoformat()) for each in found] == ([("ada", expected)] if expected else [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "no iCal file"),
        (ical(f"{TIMES}\nSUMMARY:Ada\nRRULE:FREQ=WEEKLY"), "shift by shift"),
        (ical(f"{TIMES}\nSUMMARY:Ada and Ben"), "one person a shift"),
        (ical("DTSTART:20260302T090000Z\nSUMMARY:Ada"), "DTEND"),
        (ical("DTSTART;TZID=Mars/Olympus:20260302T090000\nDTEND:20260303T090000Z\nSUMMARY:Ada"), "no time"),
        (ical("DTSTART;TZID=/etc/passwd:20260302T090000\nDTEND:20260303T090000Z\nSUMMARY:Ada"), "no time"),
        (ical("DTSTART:20260399T090000Z\nDTEND:20260303T090000Z\nSUMMARY:Ada"), "no time"),
        (ical("DTSTART:20260305T090000Z\nDTEND:20260303T090000Z\nSUMMARY:Ada"), "ends before"),
    ],
)
def test_a_rota_that_could_name_the_wrong_person_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """One line says what to do about it."""
    (tmp_path / "rota.ics").write_text(text)
    with pytest.raises(MalformedInput, match=words):
        shifts_in(tmp_path / "rota.ics", ["ada", "ben"])


def test_pages_actions_and_ideas_have_an_end(tmp_path: Path) -> None:
    """A page waits until it is acknowledged, an action until it is done, an idea until its experiment was proven."""
    book = PracticeBook(tmp_path)
    assert book.entries() == []
    for entry in (
        Entry(event="paged", person="ada", system="orders"),
        Entry(event="paged", person="ada", system="wiki"),
        Entry(event="acknowledged", person="ben", system="orders"),
        Entry(event="action", person="ada", words="alert", due=NOW.date()),
        Entry(event="action", person="ben", words="runbook", due=NOW.date()),
        Entry(event="idea", person="ada", words="the standby lags"),
    ):
        last = book.write(entry)
    said = book.entries()
    assert [(each.system, each.by, each.after_s is None) for each in pages(said)] == [
        ("orders", "ben", False), ("wiki", "", True),
    ]  # fmt: skip
    book.write(Entry(event="done", person="ada", of=said[3].seq))
    later = actions(book.entries(), NOW.date() + timedelta(days=1))
    assert [(each.owner, each.state) for each in later] == [("ben", "overdue"), ("ada", "done")]
    assert [each.status for each in ideas(book.entries(), ["failover"], ["failover"])] == ["idea"]
    book.write(Entry(event="judged", person="ada", of=last.seq, status="drafted", experiment="failover"))
    stages: list[tuple[list[str], list[str]]] = [([], []), (["failover"], []), (["failover"], ["failover"])]
    assert [ideas(book.entries(), *each)[0].status for each in stages] == ["drafted", "run", "proven"]


@pytest.mark.parametrize(
    "entry",
    [
        Entry(event="paged", person=" ", system="orders"),
        Entry(event="paged", person="ada"),
        Entry(event="acknowledged", person="ada", system="orders"),
        Entry(event="action", person="ada", words="soon"),
        Entry(event="idea", person="ada", words=" "),
        Entry(event="done", person="ada", of=1),
        Entry(event="judged", person="ada", of=0, status="never"),
    ],
)
def test_a_line_that_is_worth_nothing_is_refused(tmp_path: Path, entry: Entry) -> None:
    """Nobody's, about nothing, or about a line that is not there: refused, and nothing is written."""
    with pytest.raises(UsageError):
        PracticeBook(tmp_path).write(entry)
    assert not list(tmp_path.iterdir())


def test_many_write_at_once(tmp_path: Path) -> None:
    """Processes that begin the book at the same time lose no line."""
    program = (
        "import sys; from pathlib import Path; from chaosday.drills.gameday.practice_book import Entry, PracticeBook\n"
        "book = PracticeBook(Path(sys.argv[1]))\n"
        "for n in range(4): book.write(Entry(event='idea', person=sys.argv[2], words=str(n)))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)]) for n in range(3)]
    assert [writer.wait(120) for writer in writers] == [0] * 3
    said = {(each.person, each.words) for each in PracticeBook(tmp_path).entries()}
    assert said == {(str(who), str(n)) for who in range(3) for n in range(4)}


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written down is shown with the runs, and access that does not go is no success."""
    monkeypatch.setenv("CHAOSDAY_RUNS", str(tmp_path / "runs"))
    now = datetime.now(UTC)
    write(tmp_path / "runs", ARun(now - timedelta(days=2)))
    (tmp_path / "rota.ics").write_text(
        ical(f"DTSTART:{now - timedelta(days=3):%Y%m%dT%H%M%SZ}\nDTEND:{now:%Y%m%dT%H%M%SZ}\nSUMMARY:red")
    )
    day = {**a_day(rota=[]).model_dump(mode="json", exclude_defaults=True), "rota_file": "rota.ics"}
    (tmp_path / "day.yaml").write_text(yaml.safe_dump(day))
    who = ["--who", "red", "--system", "orders"]
    assert chaosday(["practice", "access", *who, "--went", "log in", "--failed", "restore"]) == 2
    assert chaosday(["practice", "access", *who, "--went", "restore", "--failed", "restore"]) == 64
    assert chaosday(["practice", "action", "mend it", "--owner", "ada", "--due", "tomorrow"]) == 64
    assert chaosday(["practice", "action", "mend it", "--owner", "ada", "--due", "2020-01-01"]) == 0
    capsys.readouterr()
    assert chaosday(["practice", "show", str(tmp_path / "day.yaml"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["practised"][0]["person"], said["practised"][0]["state"]) == ("red", "fresh")
    assert said["actions"][0]["state"] == "overdue" and said["next"]["person"] == "ada"
    assert chaosday(["practice", "show", str(tmp_path / "day.yaml")]) == 0
    assert "restore: FAILED" in capsys.readouterr().out


@contextmanager
def prometheus(value: str | None) -> Iterator[int]:
    """What answers an instant query as Prometheus does; without a value there is no sample."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            result = [] if value is None else [{"metric": {}, "value": [0, value]}]
            body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("value", "words"), [("0.4", ""), ("-0.1", "nothing is left"), (None, "nobody knows")])
def test_an_error_budget_that_is_gone_refuses_the_day(value: str | None, words: str) -> None:
    """As does one that nobody can tell of; one with something left is not spoken of."""
    with prometheus(value) as port:
        day = a_day(
            targets={"prometheus": {"kind": "web_service", "base_url": f"http://127.0.0.1:{port}"}},
            systems=[
                {
                    "name": "orders",
                    "error_budget": {
                        "kind": "prometheus.query",
                        "target": "prometheus",
                        "query": "left",
                        "at_least": 0,
                    },
                }
            ],
        )
        found = monitors_now(day, day.targets)
    assert [words in gap.words for gap in found] == ([True] if words else [])


def test_a_rota_without_an_end_is_not_gone_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever shares a calendar may write what they like: too many shifts, years that have no time, and a month of
    each shift's minutes for a window that never comes."""
    event = "BEGIN:VEVENT\nSUMMARY:red\nDTSTART:20260320T000000\nDTEND:20270320T000000\nEND:VEVENT\n"
    path = tmp_path / "rota.ics"
    path.write_text(f"BEGIN:VCALENDAR\n{event * 30}END:VCALENDAR\n")
    asked: list[datetime] = []
    monkeypatch.setattr(Window, "holds", lambda self, at, seconds: asked.append(at))
    monkeypatch.setattr(practice, "LOOKED_AT", 50_000)
    day, shifts = a_day(surprise=[{"start": "10:00", "end": "15:00"}]), shifts_in(path, ["red"])
    said = proposed(day, shifts, practised(day, shifts, [], [], At()), At(), seed=1)
    assert said is not None and said.at == "" and len(asked) == 50_000
    monkeypatch.setattr(rota, "MOST_SHIFTS", 29)
    with pytest.raises(MalformedInput, match="more than 29 shifts"):
        shifts_in(path, ["red"])
    path.write_text(f"BEGIN:VCALENDAR\n{event.replace('2027', '9999')}END:VCALENDAR\n")
    with pytest.raises(MalformedInput, match="lies between 1970 and 2999"):
        shifts_in(path, ["red"])
