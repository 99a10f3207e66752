from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import duckdb
import pytest

from chaosday import cli
from chaosday.data.manifest import of_directory

WRITES = {
    ("diff", "output"), ("manifest make", "out"), ("expect", "profile"), ("expect", "html"), ("check", "html"),
    ("report", "junit"), ("campaign", "html"), ("new", "file"), ("import", "out"), ("known", "file"),
    ("explore", "out"),
}  # fmt: skip
READS = {
    ("manifest make", "previous"), ("manifest compare", "before"), ("manifest compare", "after"), ("expect", "suite"),
    ("check", "files"), ("report", "runs"), ("campaign", "folders"), ("campaign", "systems_file"),
    ("prune", "folders"), ("tell", "file"), ("tell", "folder"), ("practice show", "file"),
    ("recover", "runs"), ("recover", "file"),
    ("prove", "run"), ("explain", "run"), ("outages", "file"), ("run", "files"), ("plan", "file"), ("drill", "file"),
    ("gameday", "file"), ("run", "guardrails"), ("plan", "guardrails"), ("drill", "guardrails"),
    ("gameday", "guardrails"), ("explore", "file"), ("explore", "guardrails"), ("import", "file"), ("known", "run"),
}  # fmt: skip
# Where something is, or shall be, and neither read nor overwritten.
PLACES = {("http-proxy", "control"), ("http-proxy", "authority"), ("http-proxy", "certificate"), ("http-proxy", "key"),
          ("exec", "switch"), ("cover", "directory"), ("new", "folder"), ("advise", "folder"),
          ("init", "folder"), ("upgrade", "folder"),
          *((f"flag {verb}", "run") for verb in ("claim", "action", "board", "verify", "note"))}  # fmt: skip


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli.chaosday)
    for name in cli.chaosday.list_commands(context):
        command = cli.chaosday.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", each) for inner, each in command.commands.items())
        elif command is not None:
            yield name, command


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of each input, all under several names: itself, a symbolic and a hard link."""
    monkeypatch.chdir(tmp_path)
    duckdb.sql("copy (select 1 as id) to 'a.parquet'")
    Path("d").mkdir()
    Path("d/file").write_text("content")
    of_directory(Path("d")).write(Path("m"))
    Path("s.json").write_text('[{"expect": "column_values_to_be_unique", "arguments": {"column": "id"}}]')
    Path("h.edn").write_text("{:type :invoke, :f :read, :process 0, :index 0}\n")
    Path("run").mkdir()
    for name in ("journal.jsonl", "plan.json"):
        Path("run", name).write_text("{}")
    for name in ("a.parquet", "m", "s.json", "h.edn", "run/plan.json"):
        path = Path(name)
        path.with_name(f"soft-{path.name}").symlink_to(path.name)
        os.link(path, path.with_name(f"hard-{path.name}"))
    os.mkfifo("fifo")
    return tmp_path


def test_every_path_of_every_command_is_known() -> None:
    """A new option that takes a path is said to read, to write or to name a place, and so is tested here."""
    found = {
        (name, param.name)
        for name, command in _commands()
        for param in command.params
        if isinstance(param.type, click.Path)
    }
    assert found <= WRITES | READS | PLACES, found - WRITES - READS - PLACES


OVERWRITES: list[tuple[Callable[[str], list[str]], str]] = [
    (lambda out: ["diff", "a.parquet", "a.parquet", "-k", "id", "-o", out], "a.parquet"),
    (lambda out: ["diff", "*.parquet", "a.parquet", "-k", "id", "-o", out], "a.parquet"),
    (lambda out: ["manifest", "make", "d", out, "--previous", "m"], "m"),
    (lambda out: ["expect", "a.parquet", "--profile", out], "a.parquet"),
    (lambda out: ["expect", "a.parquet", "--suite", "s.json", "--html", out], "s.json"),
    (lambda out: ["expect", "a.parquet", "--suite", "s.json", "--html", out], "a.parquet"),
    (lambda out: ["check", "h.edn", "--as", "register", "--html", out], "h.edn"),
    (lambda out: ["report", "run", "--junit", out], "run/plan.json"),
    (lambda out: ["campaign", ".", "--html", out], "run/plan.json"),
    (lambda out: ["import", "s.json", "--out", out], "s.json"),
    (lambda out: ["explore", "s.json", "--out", out], "s.json"),
    (lambda out: ["explore", "h.edn", "--guardrails", "s.json", "--out", out], "s.json"),
    (lambda out: ["known", "run", out], "run/plan.json"),
]


@pytest.mark.parametrize("link", ["", "soft-", "hard-", "./"])
@pytest.mark.parametrize("number", range(len(OVERWRITES)))
def test_no_output_overwrites_what_is_read(
    here: Path, number: int, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An output that is an input, by its name, another path or a link, is refused before anything is read."""
    words, victim = OVERWRITES[number]
    path = here / victim
    before = path.read_bytes()
    out = f"{here}/d/../{victim}" if link == "./" else str(Path(victim).with_name(link + Path(victim).name))
    assert cli.run(words(out)) == 64, capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["diff", "fifo", "a.parquet"], ["diff", "fifo.csv", "a.parquet"], ["diff", "sqlite:///fifo#t", "a.parquet"],
        ["manifest", "make", "fifo", "out"], ["manifest", "make", "d", "out", "--previous", "fifo"],
        ["manifest", "compare", "fifo", "m"], ["manifest", "check", "fifo", "d"], ["manifest", "check", "m", "fifo"],
        ["expect", "fifo.csv", "--suite", "s.json"], ["expect", "a.parquet", "--suite", "fifo"],
        ["check", "fifo"], ["check", "fifo", "--as", "register"], ["report", "fifo"], ["campaign", "fifo"],
        ["recover", "fifo"], ["recover", "--targets", "fifo"], ["prove", "fifo"], ["explain", "fifo"],
        ["outages", "fifo"], ["run", "fifo"], ["plan", "fifo"], ["drill", "fifo"], ["gameday", "fifo"],
        ["explore", "fifo"], ["import", "fifo"], ["known", "fifo", "out"], ["tell", "fifo"], ["advise", "fifo"],
        ["upgrade", "fifo"], ["init", "fifo"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_fifo_is_not_waited_for(here: Path, words: list[str]) -> None:
    """A FIFO that nobody writes to, given as any input, is refused at once."""
    os.mkfifo("fifo.csv")
    assert cli.run(words) in {64, 69}
