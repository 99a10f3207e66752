"""Every command of README and docs is run, as it stands there, against real parts."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import yaml

from chaosday.record.key import KEY_BYTES, KEY_VARIABLE
from chaosday.servers.postgres import Node
from tests.campaign.many_runs import a_year, write
from tests.docs.pages import ROOT, commands, inline_commands, pages

pytestmark = [pytest.mark.lab]

PAGES = [page for page in pages() if commands(page)]
RUN_ELSEWHERE = {
    "./run test": "it is what runs this test",
    "./run demo": "tests/flows/demo runs it, and looks at what it leaves",
}
"""Commands that are not run here, each with the reason."""
EXIT_CODES = {
    # As installed it archives nothing: that is what advice is for.
    "chaosday advise deployments/experiments/your-postgresql.yaml": (2,),
    # The page's monitors are examples: a dbt project that is not there gives no answer.
    "./run drill deployments/drills/detection.yaml": (0, 1, 2),
    # There is no Patroni here, and the plan says so.
    "chaosday plan deployments/drills/failover.yaml": (2,),
    # The page's loader doubles rows: that is what it shows.
    "./run run deployments/pipelines/orders.yaml": (1,),
    "./run run pipeline.yaml": (1,),
}
"""Exit codes other than 0 that a command may end with here."""
OWN_SERVER = ("quickstart",)
"""Pages whose commands start a Prefect server each, as on a reader's machine; the others find one that runs."""
WITH_RUNS = ("year",)
"""Pages for somebody who has run experiments for a year."""
MEANWHILE = {"chaosday gameday deployments/gameday/your-postgresql.yaml": "chaosday flag verify"}
"""Commands that go on while those after them are given in another window, up to the one named here."""
SAID_TWICE = ("./run run deployments/",)
"""What such commands begin with: each is run on the first page that has it, since nothing before it matters to it."""
QUICKER = {"./run run pipeline.yaml": ("pipeline.yaml", {"ways": ["kill", "end"]})}
"""What is set in a file before a command reads it, so that it takes seconds instead of minutes."""
ANSWERS = "\n" * 60
"""A person at the terminal who says go, whatever is asked."""


@pytest.fixture(scope="module")
def said() -> set[str]:
    """The commands that pages before have had."""
    return set()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Node, Node]) -> Iterator[Path]:
    """What a reader has before them: the files of the repository, with their own database's address in them."""
    folder = tmp_path_factory.mktemp("checkout")
    port = str(pair[0].port)
    shutil.copytree(ROOT / "deployments", folder / "deployments")
    exports = folder / "exports"
    exports.mkdir()
    (exports / ".chaosday-scratch").touch()
    for number in range(3):
        (exports / f"orders-{number}.csv").write_text("1,ada\n" * 2_000)
    for path in (folder / "deployments").rglob("*.yaml"):
        text = path.read_text().replace("port: 5432", f"port: {port}").replace("127.0.0.1:5432", f"127.0.0.1:{port}")
        text = text.replace("/srv/exports", str(exports)).replace("127.0.0.1:6432", "127.0.0.1:0")
        # A game of minutes instead of an hour; the page's commands are the same.
        text = text.replace("patience_s: 900", "patience_s: 30").replace("gap_min_s: 60", "gap_min_s: 0")
        path.write_text(text.replace("gap_max_s: 300", "gap_max_s: 1").replace("draw: 3", "draw: 1"))
    for name in ("flows", "tasks", "blocks"):
        (folder / name).symlink_to(ROOT / name)
    shims = folder / "shims"
    shims.mkdir()
    python = shlex.quote(sys.executable)
    for path, words in (
        (folder / "run", f'{python} -m chaosday "${{@:-demo}}"'),
        (shims / "chaosday", f'{python} -m chaosday "$@"'),
        (shims / "prefect", f'{python} -m prefect "$@"'),
        (shims / "python", f'{python} "$@"'),
    ):
        path.write_text(f"#!/bin/bash\nexec {words}\n")
        path.chmod(0o755)
    with psycopg.connect(
        f"host=127.0.0.1 port={port} user=postgres password={pair[0].password}", autocommit=True
    ) as sql:
        sql.execute("create table public.orders_copy (id int primary key, customer text not null, pieces int)")
        sql.execute("alter table public.orders_copy alter customer drop not null")
        sql.execute("comment on table public.orders_copy is 'chaosday-scratch'")
        sql.execute("insert into public.orders_copy select n, 'c' || n, n % 7 from generate_series(1, 1000) n")
        yield folder
        sql.execute("drop table public.orders_copy")


def _year_of_runs(folder: Path) -> None:
    """Runs of every kind in ``runs``, signed with a key of their own."""
    key = folder / "worker.key"
    key.write_bytes(os.urandom(KEY_BYTES))
    key.chmod(0o600)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(KEY_VARIABLE, str(key))
        for run in a_year(60, until=datetime.now(UTC) - timedelta(days=2), seed=1):
            write(folder / "runs", run)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_s_commands_work(
    page: Path, checkout: Path, pair: tuple[Node, Node], tmp_path: Path, prefect_url: str, said: set[str]
) -> None:
    """In the order of the page, in one shell's environment, each ends with the exit code that a reader expects."""
    environment = {
        "PATH": f"{checkout / 'shims'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PGPASSWORD": pair[0].password,
        "CHAOSDAY_RUNS": str(tmp_path / "runs"),
        "CHAOSDAY_HALT": str(tmp_path / "halt"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        # A busy machine takes longer than the 20 s that are given by default.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # The commands of a page share a server, which goes soon after the last of them.
        "CHAOSDAY_SERVER_IDLE_S": "10",
    }
    if page.stem not in OWN_SERVER:
        environment["PREFECT_API_URL"] = prefect_url
    if page.stem in WITH_RUNS:
        environment[KEY_VARIABLE] = str(tmp_path / "worker.key")
        _year_of_runs(tmp_path)
    for name in ("first.yaml", "pipeline.yaml"):
        (checkout / name).unlink(missing_ok=True)
    failed: list[str] = []
    going: tuple[subprocess.Popen[str], str, str] | None = None
    for each in commands(page):
        if each.line in RUN_ELSEWHERE or each.line == "export PGPASSWORD=...":
            continue
        if each.line in said and each.line.startswith(SAID_TWICE):
            continue
        said.add(each.line)
        if going is not None and each.line == going[2]:
            failed += _judged(going[1], going[0])
            going = None
        if each.line in QUICKER:
            name, fields = QUICKER[each.line]
            (checkout / name).write_text(yaml.safe_dump(yaml.safe_load((checkout / name).read_text()) | fields))
        line = each.line.replace("app@db.example.org:5432/orders", f"postgres@127.0.0.1:{pair[0].port}/postgres")
        started = subprocess.Popen(
            ["bash", "-c", line], cwd=checkout, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if line in MEANWHILE:
            assert started.stdin is not None
            started.stdin.write(ANSWERS)
            started.stdin.flush()
            going = (started, line, MEANWHILE[line])
            _until_there(tmp_path / "runs", started)
        else:
            failed += _judged(line, started)
    assert not failed, "\n".join(failed)


def _judged(line: str, started: subprocess.Popen[str]) -> list[str]:
    """What was wrong with a command's end, if anything."""
    out, err = started.communicate(ANSWERS)
    if started.returncode in EXIT_CODES.get(line, (0,)) and "Traceback" not in out + err:
        return []
    return [f"{line} -> {started.returncode}\n{out[-1500:]}\n{err[-1500:]}"]


def _until_there(runs: Path, started: subprocess.Popen[str]) -> None:
    """Wait until the game has a board and flags are being hidden, or has ended."""
    while started.poll() is None and not any('"injected"' in path.read_text() for path in runs.glob("*/journal.jsonl")):
        time.sleep(0.1)


def test_commands_named_in_sentences_exist() -> None:
    """Every `chaosday WORD --option` in a sentence is a command with that option."""
    import click

    from chaosday.cli import chaosday

    wrong, seen = [], 0
    context = click.Context(chaosday)
    for each in inline_commands():
        words = shlex.split(each.line)
        if words[0] == "python":
            module = words[2].replace(".", "/")
            if (
                words[2] != "pytest"
                and not (ROOT / f"{module}.py").exists()
                and not (ROOT / module / "__main__.py").exists()
            ):
                wrong.append(f"{each.page.name}: {each.line}")
            continue
        seen += 1
        command = chaosday.get_command(context, words[1])
        if words[1] == "test" or words[1].startswith("--"):
            continue
        options = {name for parameter in command.params for name in parameter.opts} if command else set()
        if command is None or not {word for word in words[2:] if word.startswith("--")} <= options:
            wrong.append(f"{each.page.name}: {each.line}")
    assert not wrong
    assert seen > 20
