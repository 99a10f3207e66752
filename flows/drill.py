"""``chaosday drill``: another word for ``chaosday run``, for those who look for a drill."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.record.inputs import InputPath
from flows.run import run_files


@click.command("drill", short_help="Restore a backup and compare it, or plant damage and see who notices.")
@click.argument("file", type=InputPath())
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress, only the verdict.")
@click.option("--guardrails", type=InputPath(), help="A file with limits that hold for it.")
def command(file: Path, as_json: bool, quiet: bool, guardrails: Path | None) -> int:
    """Run the drill in FILE, whose field 'kind' (or 'drill') says which one it is, and exit with its verdict."""
    return run_files([file], as_json=as_json, quiet=quiet, guardrails=guardrails)
