"""``chaosday recover``: end what a run that died left behind."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from chaosday.recovery import journals_under, recover, words
from chaosday.run_directory import runs_root


@click.command("recover", short_help="End what a run that died left behind.")
@click.argument("runs", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="What was done, as JSON.")
def command(runs: Path | None, as_json: bool) -> int:
    """Read every journal under RUNS (by default chaosday-runs) and undo what is still open.

    Goes on past what cannot be reached; exits 0 when nothing is left, 3 otherwise."""
    did = recover(journals_under(runs or runs_root()))
    if as_json:
        click.echo(orjson.dumps([each.model_dump(mode="json") for each in did]))
    else:
        for line in words(did):
            click.echo(line)
    return 0 if all(each.ok for each in did) else 3
