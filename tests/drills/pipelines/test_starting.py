"""The first file for somebody's pipeline says what two runs of it showed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import yaml

from chaosday.drills.kinds import parse_run
from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.folders import digest, stamps, written
from chaosday.drills.pipelines.starting import first_drill, look, text
from chaosday.errors import ChaosdayError, Refused, UsageError
from tests.drills.pipelines.conftest import psql

ADDRESS = "postgresql://app@db.example.org:5432/orders"


@pytest.mark.lab
def test_it_says_what_two_runs_showed(bench: Bench) -> None:
    """Tables that were written, columns that differ by themselves, files that were left; and it is a file that runs."""
    bench.copies.restore("origin")
    load = psql("insert into orders (n, at) select max(n) + 1, now() from orders")
    command = ["sh", "-c", 'mkdir -p state && date +%N > state/bookmark && exec "$@"', "x", *load]
    bench.value = bench.value.model_copy(update={"command": command, "variables": {}, "state": [], "ignore": {}})
    seen = look(bench, lambda: False)
    assert (seen.outputs, seen.ignore, seen.state) == (
        ["shop.public.orders"],
        {"shop.public.orders": ["id", "at"]},
        ["state/"],
    )
    written_ = yaml.safe_load(text(bench.value, seen))
    assert parse_run(written_).value.outputs == ["shop.public.orders"]
    assert list(bench.copies.control.execute("select 1").fetchall()) == [(1,)]


@pytest.mark.lab
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (psql("select 1/0"), "fails undisturbed (exit 1): ERROR:  division by zero"),
        ([*psql("select 1"), "-p", "5432"], "kept off 127.0.0.1:5432"),
    ],
)
def test_a_command_that_cannot_be_drilled_is_said(bench: Bench, command: list[str], words: str) -> None:
    """With what it printed, or where it wanted to go; nothing is written then."""
    bench.copies.restore("origin")
    bench.value = bench.value.model_copy(update={"command": command, "variables": {}})
    with pytest.raises(Refused) as refused:
        look(bench, lambda: False)
    assert words in str(refused.value)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("stores", "names"),
    [
        ((ADDRESS,), {"orders": ADDRESS}),
        ((f"shop={ADDRESS}",), {"shop": ADDRESS}),
        (("dumps/night-1.dump",), {"night_1": "dumps/night-1.dump"}),
    ],
)
def test_stores_are_called_after_their_databases(stores: tuple[str, ...], names: dict[str, str]) -> None:
    """Or as the command line calls them."""
    value = first_drill("dbt build --select 'a b'", stores)
    assert value.command == ["dbt", "build", "--select", "a b"]
    assert {name: store.source for name, store in value.stores.items()} == names


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("pipeline", "stores", "words"),
    [
        ("dbt build", (), "name the pipeline's database"),
        ("dbt 'build", (ADDRESS,), "No closing quotation"),
        ("dbt build", ("postgresql://app:secret@db/orders",), "leave the password out"),
        (
            "dbt build",
            ("postgresql://app:secret/2@db/orders",),
            r"stores\.orders\.from: the port in url is not a number",
        ),
        ("dbt build", ("postgresql://[app/orders",), "cannot be read as an address"),
    ],
)
def test_a_command_line_that_says_too_little_is_refused(pipeline: str, stores: tuple[str, ...], words: str) -> None:
    """In one line, and without the password."""
    with pytest.raises(ChaosdayError, match=words) as refused:
        first_drill(pipeline, stores)
    assert isinstance(refused.value, UsageError) and "secret" not in str(refused.value)


@pytest.mark.kernel
def test_only_what_a_run_left_is_state(tmp_path: Path) -> None:
    """New files, changed ones, and a new folder as one; caches of Python are none."""
    work, original = tmp_path / "work", tmp_path / "original"
    for folder in (work, original):
        (folder / "models").mkdir(parents=True)
        (folder / "models" / "a.sql").write_text("select 1")
        (folder / "log").write_text("one")
    (work / "log").write_text("two")
    (work / "target" / "run").mkdir(parents=True)
    (work / "target" / "run" / "x").write_text("x")
    (work / "__pycache__").mkdir()
    (work / "__pycache__" / "m.pyc").write_text("x")
    assert written(work, original) == ["log", "target/"]


@pytest.mark.kernel
def test_a_folder_that_goes_while_it_is_read_is_no_mistake(tmp_path: Path) -> None:
    """Threads of a pipeline make and remove their folders as they like."""
    over = threading.Event()

    def make_and_remove() -> None:
        while not over.is_set():
            for number in range(20):
                (tmp_path / "state" / str(number)).mkdir(parents=True, exist_ok=True)
            for number in range(20):
                (tmp_path / "state" / str(number)).rmdir()

    thread = threading.Thread(target=make_and_remove)
    thread.start()
    try:
        found = {digest(tmp_path, ["state"]) for _ in range(300)}
        stamped = [stamps(tmp_path) for _ in range(100)]
    finally:
        over.set()
        thread.join()
    assert len(found) == 1 and not any(stamped)
