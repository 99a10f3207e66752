"""``chaosday recover``: end what a run that died left behind."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from chaosday.model.experiment import load_targets
from chaosday.model.target import Target
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json
from chaosday.undo.fleet import leases_on, recover_hosts
from chaosday.undo.recovery import Recovered, journals_under, open_in, recover, words, would_run


@click.command("recover", short_help="End what a run that died left behind.")
@click.argument("runs", required=False, type=InputPath())
@click.option(
    "--targets",
    "file",
    type=InputPath(),
    help="An experiment, or any file with its 'targets': every lease on them is ended, whoever armed it.",
)
@click.option("--list", "only_list", is_flag=True, help="Show what is left, and end and remove nothing.")
@click.option(
    "--trust-unsigned",
    "unsigned",
    metavar="RUN",
    multiple=True,
    help="Show what the journal of RUN, which this worker did not sign, would have us run, and run it once you agree.",
)
@click.option("--yes", is_flag=True, help="With --trust-unsigned: agree beforehand.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as JSON.")
def command(
    runs: Path | None, file: Path | None, only_list: bool, unsigned: tuple[str, ...], yes: bool, as_json: bool
) -> int:
    """Read the journal of every run in RUNS (by default chaosday-runs), undo what is still open, judge the runs that
    died before they were judged, and take away what they made in their targets.

    Only journals that are ours alone and signed with this worker's key are believed; others are listed.
    With --targets no journal is needed, so that any machine that reaches them can do it. Goes on past what
    cannot be reached; exits 0 when nothing is left, 3 otherwise."""
    given = load_targets(file) if file is not None and not only_list else {}
    act = _found if only_list else lambda runs: _recovered(runs, unsigned, yes, given)
    did = act(runs) if file is None or runs is not None else []
    if file is not None:
        from chaosday.model.lease import LeaseHolder

        holders = {name: each for name, each in load_targets(file).items() if LeaseHolder in each.capabilities()}
        did += _listed(holders) if only_list else recover_hosts(holders)
    if as_json:
        say_json([each.model_dump(mode="json") for each in did])
    else:
        for line in words(did):
            say(line)
    return 0 if all(each.ok for each in did) else 3


def _agreed(journals: list[Path], unsigned: tuple[str, ...], yes: bool) -> tuple[str, ...]:
    """Those of the unsigned runs whose undos somebody has read, or has agreed to unread."""
    for line in (said := would_run(journals, unsigned)):
        say(line, err=True)
    if yes or not said:
        return unsigned
    return unsigned if sys.stdin.isatty() and click.confirm("Run this with our rights?", err=True) else ()


def _recovered(runs: Path | None, unsigned: tuple[str, ...], yes: bool, given: Mapping[str, Target]) -> list[Recovered]:
    """Faults end first; then those runs are judged that nobody judged, and what they made in targets goes."""
    from chaosday.drills.abandoned import conclude_abandoned
    from chaosday.drills.leftovers import remove_leftovers

    if runs is None and not runs_root().is_dir():
        return []
    journals = journals_under(runs or runs_root())
    did = recover(journals, trust_unsigned=_agreed(journals, unsigned, yes))
    return did + conclude_abandoned(journals) + remove_leftovers(journals, given)


def _found(runs: Path | None) -> list[Recovered]:
    """What runs left, as it is: faults and processes, then what they made."""
    from chaosday.drills.leftovers import leftovers

    if runs is None and not runs_root().is_dir():
        return []
    journals = journals_under(runs or runs_root())
    return open_in(journals) + leftovers(journals)


def _listed(holders: dict[str, Target]) -> list[Recovered]:
    """Leases as they are; one that cannot be asked is not fine."""
    found: list[Recovered] = []
    for name, outcome in leases_on(holders).items():
        for lease in outcome.result or []:
            said = f"armed, {lease.remaining_s:.0f} s left" if not lease.healed else "healed"
            found.append(
                Recovered(run=lease.run, ok=True, words=said, fault=lease.fault, target=name, lease_id=lease.id)
            )
        if outcome.error is not None:
            found.append(Recovered(run="", ok=False, words=str(outcome.error), target=name))
    return found
