"""``chaosday outages``: the outage ledger of a game day's file, and its trend against the goal."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.clock import SystemClock
from chaosday.drills.gameday.day import load_day
from chaosday.drills.gameday.foreseen import by_month, foreseen
from chaosday.drills.gameday.outages import Span, today_utc, trend
from chaosday.errors import EvidenceMissing
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json


@click.command("outages", short_help="The outage ledger: incidents, minutes, cost, before chaos days and since.")
@click.argument("file", type=InputPath())
@click.option("--json", "as_json", is_flag=True, help="The trend as JSON.")
def command(file: Path, as_json: bool) -> int:
    """Read the ledger in the section 'outages' of FILE, compare before with since, and say what experiments covered.

    An outage may name the experiment that shows such a thing, by its title; its runs are those in chaosday-runs."""
    from chaosday.campaign.catalogue import catalogue_of

    day = load_day(file)
    rates = {s.name: s.downtime_cost_per_minute for s in day.systems if s.downtime_cost_per_minute}
    found = trend(day.outages, rates, today_utc(SystemClock().wall_ns()))
    if found is None:
        raise EvidenceMissing(f"{file}: outages: give the days 'first' and 'since', neither of them in the future")
    covered = foreseen(day.outages.outages, catalogue_of([runs_root()]).runs)
    if as_json:
        months = [each.model_dump(mode="json") for each in by_month(covered)]
        told = [each.model_dump(mode="json") for each in covered]
        say_json({**found.model_dump(mode="json"), "covered": told, "covered_by_month": months})
        return 0
    say(f"before: {_line(found.before, found.currency)}")
    say(f"since:  {_line(found.since, found.currency)}")
    say(found.words)
    for each in covered:
        say(each.words)
    return 0


def _line(span: Span, currency: str) -> str:
    unpriced = f" ({span.unpriced} without a cost)" if span.unpriced else ""
    return (
        f"{span.incidents} incidents, {span.minutes:,.0f} minutes, {span.cost:,.0f} {currency}{unpriced} in "
        f"{span.days} days; a month: {span.incidents_a_month:.2f} incidents, {span.minutes_a_month:,.1f} minutes, "
        f"{span.cost_a_month:,.0f} {currency}"
    )
