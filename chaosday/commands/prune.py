"""``chaosday prune``: the evidence of old passes goes, and what it proved stays counted."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.pruning import KEEP, MONTHS, Cut, prune, to_prune
from chaosday.clock import SystemClock
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json


@click.command("prune", short_help="Let the evidence of old passes go; what it proved stays counted.")
@click.argument("folders", nargs=-1, type=InputPath())
@click.option(
    "--keep", default=KEEP, show_default=True, type=click.IntRange(1), help="Newest runs kept of each experiment."
)
@click.option("--months", default=MONTHS, show_default=True, type=click.IntRange(0), help="Months with one pass kept.")
@click.option("--yes", is_flag=True, help="Do it. Without, what would go is shown, and nothing is touched.")
@click.option("--json", "as_json", is_flag=True, help="What goes and what stays, as JSON.")
def command(folders: tuple[Path, ...], keep: int, months: int, yes: bool, as_json: bool) -> int:
    """Cut runs in FOLDERS (by default chaosday-runs) down to their summaries.

    Kept whole are the newest runs of each experiment, its newest pass, one pass a month, and every run that is no pass.
    A run that lives, has an open fault, is a copy, or was not signed with this worker's key is never touched. Exits 0,
    or 69 where something that was to go could not."""
    clock = SystemClock()
    catalogue = catalogue_of(folders or (runs_root(),))
    cuts, kept = to_prune(catalogue, clock, keep, months)
    if yes:
        cuts = prune(catalogue, cuts, clock)
    left = [each for each in cuts if each.why_not]
    if as_json:
        cut = [each.model_dump(mode="json") for each in cuts]
        say_json({"dry_run": not yes, "cut": cut, "kept": kept.runs, "left_out": len(catalogue.left_out)})
    else:
        _show(cuts, kept.runs, yes=yes)
    return 69 if left else 0


def _show(cuts: list[Cut], kept: dict[str, int], *, yes: bool) -> None:
    for each in cuts:
        if each.why_not:
            say(f"stays: {each.place}: {each.why_not}")
        elif not yes:
            say(f"would go: {each.place} ({each.bytes:,} bytes)")
    going = [each for each in cuts if not each.why_not]
    size = sum(each.bytes for each in going)
    say(f"{'cut' if yes else 'would be cut'}: {len(going):,} runs, {size:,} bytes; their summaries are still counted")
    for reason, count in sorted(kept.items()):
        say(f"{'stays as it is' if reason == 'cut before' else 'kept whole'}: {count:,} ({reason})")
    if not yes and going:
        say("nothing was touched; to do it: --yes")
