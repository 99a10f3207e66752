"""``chaosday resume``: take the halt switch back."""

from __future__ import annotations

import click

from chaosday.reporting.terminal import say
from chaosday.safety.halting import HaltFile


@click.command("resume", short_help="Take the halt switch back.")
def command() -> int:
    """Let runs start again. Those that were stopped stay stopped."""
    switch = HaltFile()
    before = switch.reading()
    say(f"resumed; it was {before.words}" if switch.resume() else "nothing was halted")
    return 0
