"""What a command costs before it does anything: what it imports, and what the list of commands is read from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chaosday import cli

pytestmark = pytest.mark.kernel

HEAVY = (
    "boto3", "botocore", "confluent_kafka", "deltalake", "duckdb", "fastapi", "great_expectations", "kubernetes",
    "opentelemetry", "pandas", "paramiko", "prefect", "pyiceberg", "scipy", "sqlalchemy",
)  # fmt: skip
"""Imported where they are used, and nowhere on the way there."""
SPARED = {
    "check": ("concurrent.futures", "numpy.ma", "pyarrow.compute", "rich"),
    "plan": ("pyarrow.compute", "rich.progress"),
}
"""Parts of packages, a tenth of a second each, that a small job of these commands has no need of."""
HISTORY = (
    "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n"
    "{:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value 1}\n"
)
EXPERIMENT = """
targets:
  store: {kind: line_store, port: 1}
  door: {kind: proxy_route, upstream: "127.0.0.1:1"}
workloads: [{kind: register, target: store}]
faults:
  - fault: {kind: network.proxy.latency, target: door}
  - {at_s: 2, fault: {kind: network.proxy.reset, target: door}}
checks: [{kind: register}]
"""
RUNS = {
    "--help": ((), 0),
    "check": (("history.edn", "--as", "register"), 0),
    "diff": (("a.csv", "b.csv", "--key", "id"), 0),
    "catalogue": (("network.proxy.latency",), 0),
    "plan": (("two.yaml",), 2),
    "recover": (("empty",), 0),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small file of each kind."""
    (tmp_path / "history.edn").write_text(HISTORY)
    (tmp_path / "two.yaml").write_text(EXPERIMENT)
    (tmp_path / "empty").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("id,v\n1,2\n")
    return tmp_path


def test_no_command_imports_what_is_heavy_before_it_needs_it() -> None:
    """Looking up every command, those of the flows too, brings in no package of the list."""
    program = (
        "import sys\nfrom chaosday import cli\n"
        "for name in cli.chaosday.list_commands(None): cli.chaosday.get_command(None, name)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "[]\n")


@pytest.mark.parametrize("command", RUNS)
def test_a_small_job_imports_nothing_heavy(command: str, folder: Path) -> None:
    """The imports of a whole run of the command, as Python itself lists them, hold no package of the list."""
    words, code = RUNS[command]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "chaosday", command, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = [line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    allowed = {"duckdb"} if command == "diff" else set()
    assert set(SPARED.get(command, ())).isdisjoint(imported)
    assert done.returncode == code, done.stderr[-2000:]
    # A package alone was looked for in vain: one that is there brings modules of its own.
    assert {name.split(".")[0] for name in imported if "." in name} & set(HEAVY) <= allowed


def test_a_run_that_finds_a_server_brings_in_none() -> None:
    """What starts, finds and uses a Prefect server imports nothing of the server itself: it is the dearest import."""
    without = sorted(set(HEAVY) - {"prefect", "opentelemetry"})  # which Prefect's client itself imports
    program = (
        "import sys\nimport flows.temporary_server, flows.experiment\n"
        f"print([n for n in sys.modules if n.startswith('prefect.server') or n in {without!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "[]\n")


def test_what_packages_name_is_read_once() -> None:
    """However many families are looked at: reading every installed package's names takes longer than a plan."""
    program = (
        "import importlib.metadata as m\nfrom chaosday import registry\nread = []\nasked = m.entry_points\n"
        "m.entry_points = lambda **group: (read.append(group), asked(**group))[1]\n"
        "for family in registry.FAMILIES: registry.kinds_of(family)\nprint(read)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "[{}]\n")


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    """The short help that is read from a command's text is the command's own."""
    for name in cli._kernel_commands():
        command = cli.chaosday.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert cli._short_help(name) == command.get_short_help_str(80)
