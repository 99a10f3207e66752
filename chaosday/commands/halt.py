"""``chaosday halt``: stop everything, now."""

from __future__ import annotations

import click

from chaosday.reporting.terminal import say
from chaosday.safety.halting import HaltFile


@click.command("halt", short_help="Stop every live run and refuse new ones.")
@click.argument("why")
def command(why: str) -> int:
    """Throw the halt switch, saying WHY: live runs undo their faults within a second, and nothing new starts
    until ``chaosday resume``. The switch is the file named by $CHAOSDAY_HALT, else chaosday-runs/HALT."""
    switch = HaltFile()
    switch.halt(why)
    say(f"halted: {switch.path}; take it back with: chaosday resume")
    return 0
