"""``chaosday drill``: a restore drill or a detection drill from its file."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from chaosday.clock import SystemClock
from chaosday.errors import InvalidExperiment
from chaosday.experiment import read_mapping
from chaosday.run_directory import RunDirectory, runs_root
from chaosday.verdict import Verdict
from flows.terminal import show_verdict, watching

KINDS = ("restore",)


@click.command("drill", short_help="Restore a backup and compare it.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress, only the verdict.")
def command(file: Path, as_json: bool, quiet: bool) -> int:
    """Run the drill in FILE, whose field 'drill' says which kind it is, and exit with its verdict."""
    kind = read_mapping(file).get("drill", "")
    if kind not in KINDS:
        raise InvalidExperiment(f"{file}: the field 'drill' says which one it is: {' or '.join(KINDS)}")
    from chaosday.restoring.drill import load_drill

    value = load_drill(file)
    directory = RunDirectory.create(runs_root(), value.title, SystemClock())
    from flows.session import prefect_session

    with prefect_session(), watching(quiet=quiet or as_json):
        from flows.restore_drill import restore_drill

        restore_drill(value, directory.path, return_state=True)
    verdict = Verdict.model_validate(directory.read_json("verdict.json"))
    if as_json:
        click.echo(orjson.dumps({"run": str(directory.path), **verdict.model_dump(mode="json")}))
    else:
        show_verdict(directory, verdict)
    return verdict.exit_code
