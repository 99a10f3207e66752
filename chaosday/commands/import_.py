"""``chaosday import``: an experiment of Chaos Toolkit's, rewritten as one of ours."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from chaosday.drills.importing.chaos_toolkit import imported
from chaosday.errors import InvalidExperiment
from chaosday.model.document import read_mapping
from chaosday.record.foreign_words import one_line
from chaosday.record.inputs import InputPath
from chaosday.record.outputs import claim, write_output
from chaosday.reporting.terminal import say, say_json, say_text


@click.command("import", short_help="Rewrite an experiment of Chaos Toolkit's as one of ours; nothing of it is run.")
@click.argument("file", type=InputPath(dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@click.option("--json", "as_json", is_flag=True, help="The experiment, and what was mapped and what was not, as JSON.")
def command(file: Path, out: Path | None, as_json: bool) -> int:
    """Read FILE (JSON or YAML) and print the experiment; what is not mapped stands above it, and on standard error.

    Probes, actions and rollbacks of the providers process, http and python have words here. What writes, and what
    judges it, is for whoever knows the system to add.
    """
    claim(out, [file])
    try:
        done = imported(read_mapping(file))
    except InvalidExperiment as error:
        words = str(error)
        raise InvalidExperiment(words if words.startswith(str(file)) else f"{file}: {words}") from None
    missing = [f"not mapped: {one_line(each)}" for each in done.not_mapped]
    text = "".join(f"# {each}\n" for each in missing)
    text += yaml.safe_dump(done.experiment, sort_keys=False, allow_unicode=True, width=110)
    if out is not None:
        write_output(out, text)
    if as_json:
        say_json({"experiment": done.experiment, "mapped": done.mapped, "not_mapped": done.not_mapped}, indent=True)
        return 0
    for each in missing:
        say(each, err=True)
    if out is None:
        say_text(text.rstrip("\n"))
    return 0
