"""The program, loaded once and forked for each case: two hundred starts of an interpreter would take minutes.

Reads one JSON case a line: ``words`` (the command line), ``do`` (what its command does instead of its work: "raise",
"wait", "run", which has a defect, or "" for its own work), ``out`` and ``err`` (files for its two outputs), ``folder``
(the current one). Writes one JSON line a case: the code that a shell would see. A case that waits is sent ``signal``
once it waits.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from chaosday import cli
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.model.experiment import parse
from chaosday.record.run_directory import RunDirectory
from chaosday.running.live import LiveRun
from chaosday.running.playing import complete
from chaosday.running.run import Run
from chaosday.servers.postgres import Node
from tests.conformance.arrangements import ARRANGEMENTS, Bench

CANARY = "canary-9d1c-secret"


def leaves(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        else:
            yield (*names, name), command


def _raising(*_: object, **__: object) -> None:
    password = CANARY
    raise ValueError(f"cannot use password={password!r} at postgresql://app:{password}@db/x")


class _Defective(ExperimentKind):
    """An experiment in whose code something was overlooked."""

    def observe(self, run: LiveRun) -> None:
        _raising()


def _running(*_: object, **__: object) -> None:
    with Bench.made(Path.cwd(), Node("nowhere", Path("/"), 1, "", Path("/"))) as bench:
        experiment = parse(ARRANGEMENTS["experiment"](bench))
        directory = RunDirectory.create(Path("runs"), "defective", SystemClock())
        with Run(_Defective(experiment), directory) as run:
            complete(run)


def _waiting(ready: int) -> Any:
    def wait(*_: object, **__: object) -> None:
        os.write(ready, b"!")
        # In short steps: a signal that comes between two instructions of one long sleep is heard when that is over.
        for _ in range(6_000):
            time.sleep(0.1)

    return wait


def _child(case: dict[str, Any], ready: int) -> None:
    os.chdir(case["folder"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(case[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    for _, command in COMMANDS:
        if case["do"]:
            command.callback = {"raise": _raising, "run": _running, "wait": _waiting(ready)}[case["do"]]
    sys.argv = ["chaosday", *case["words"]]
    cli.main(case["words"])


def _answered(case: dict[str, Any]) -> int:
    heard, ready = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _child(case, ready)
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 98)
        os._exit(99)
    os.close(ready)
    if case["do"] == "wait" and select.select([heard], [], [], 60)[0]:
        os.kill(pid, case["signal"])
    status = os.waitpid(pid, 0)[1]
    os.close(heard)
    return os.waitstatus_to_exitcode(status)


COMMANDS = list(leaves(cli.chaosday))  # type: ignore[arg-type]

if __name__ == "__main__":
    # As a terminal starts a program, and not as nohup or a shell in the background do, whose children hear no signal.
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler if stop == signal.SIGINT else signal.SIG_DFL)
    print(json.dumps([list(words) for words, _ in COMMANDS]), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answered(json.loads(line))), flush=True)
