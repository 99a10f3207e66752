"""``chaosday explain``: what happened in a run, and why its verdict is what it is."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.errors import EvidenceMissing
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.terminal import say
from chaosday.running.explaining import explain


@click.command("explain", short_help="What happened in a run, in words, and why its verdict.")
@click.argument("run", required=False, type=InputPath())
def command(run: Path | None) -> int:
    """Tell what RUN (by default the newest) did, act by act, from its journal, and what its verdict rests on."""
    for line in explain(RunDirectory.open(run or _newest(runs_root()))):
        say(line)
    return 0


def _newest(root: Path) -> Path:
    """Names begin with the moment, so that the last in order is the newest."""
    runs = sorted(path.parent for path in root.glob("*/journal.jsonl"))
    if not runs:
        raise EvidenceMissing(f"no run below {root}; name one")
    return runs[-1]
