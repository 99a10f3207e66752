"""``chaosday drill``: a restore drill or a detection drill from its file."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from rich import box
from rich.table import Table

from chaosday.clock import SystemClock
from chaosday.drills.detection import drill as detection
from chaosday.drills.restoring import drill as restoring
from chaosday.errors import InvalidExperiment
from chaosday.judging.verdict import Verdict
from chaosday.model.experiment import read_mapping
from chaosday.record.run_directory import RunDirectory, runs_root
from flows.terminal import console, show_verdict, watching

KINDS = ("restore", "detection")


@click.command("drill", short_help="Restore a backup and compare it, or plant damage and see who notices.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress, only the verdict.")
def command(file: Path, as_json: bool, quiet: bool) -> int:
    """Run the drill in FILE, whose field 'drill' says which kind it is, and exit with its verdict."""
    kind = read_mapping(file).get("drill", "")
    if kind not in KINDS:
        raise InvalidExperiment(f"{file}: the field 'drill' says which one it is: {' or '.join(KINDS)}")
    value = restoring.load_drill(file) if kind == "restore" else detection.load_drill(file)
    directory = RunDirectory.create(runs_root(), value.title, SystemClock())
    from flows.session import prefect_session

    with prefect_session(), watching(quiet=quiet or as_json):
        if isinstance(value, restoring.RestoreDrill):
            from flows.restore_drill import restore_drill

            restore_drill(value, directory.path, return_state=True)
        else:
            from flows.detection_drill import detection_drill

            detection_drill(value, directory.path, return_state=True)
    verdict = Verdict.model_validate(directory.read_json("verdict.json"))
    if as_json:
        click.echo(orjson.dumps({"run": str(directory.path), **verdict.model_dump(mode="json")}))
        return verdict.exit_code
    if kind == "detection":
        _show_notices(directory)
    show_verdict(directory, verdict)
    return verdict.exit_code


def _show_notices(directory: RunDirectory) -> None:
    """Damage x monitor: after how long it was noticed."""
    seen = directory.read_json("observations/detection.json")["damage"]
    names = [notice["monitor"] for notice in seen[0]["notices"]] if seen else []
    table = Table("damage", *names, box=box.SIMPLE_HEAD)
    for each in seen:
        cells = [
            "[red]not noticed[/]" if notice["after_s"] is None else f"[green]{notice['after_s']:.1f} s[/]"
            for notice in each["notices"]
        ]
        table.add_row(each["name"] if each["bit"] else f"{each['name']} (did not bite)", *cells)
    console.print(table)
