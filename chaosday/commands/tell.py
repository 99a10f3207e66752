"""``chaosday tell``: what runs found, to whoever is to know of it."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.campaign.telling.telling import tell
from chaosday.clock import SystemClock
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json


@click.command("tell", short_help="Tell receivers (webhook, mail, Slack, traces) what runs found.")
@click.argument("file", type=InputPath(exists=True, dir_okay=False))
@click.argument("folder", required=False, type=InputPath())
@click.option("--json", "as_json", is_flag=True, help="What became of it, as JSON.")
def command(file: Path, folder: Path | None, as_json: bool) -> int:
    """Tell whom FILE names of runs in FOLDER (by default chaosday-runs), each once; what could not be delivered is
    tried again the next time.

    It is no part of a run: a receiver that is dead holds up nothing. Exits 0, or 69 where something still waits."""
    did = tell(file, folder or runs_root(), SystemClock())
    if as_json:
        say_json([each.model_dump(mode="json") for each in did])
    else:
        for each in did:
            waits = f", {each.waiting} wait: {each.why}" if each.waiting else ""
            say(f"{each.receiver}: {each.told} told{waits}")
            for words in each.given_up:
                say(f"{each.receiver}: given up after many tries: {words}", err=True)
    return 69 if any(each.waiting or each.given_up for each in did) else 0
