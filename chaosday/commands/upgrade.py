"""``chaosday upgrade``: what a project that ``chaosday init`` laid down would be today."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.reporting.terminal import say, say_text


@click.command("upgrade", short_help="Show how a project differs from what init would write today.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
def command(folder: Path) -> int:
    """Print the differences between FOLDER and what ``chaosday init`` would write today, as a patch, and write nothing.

    What is in FOLDER and not in a new project is yours, and not shown. Exits 0 where nothing differs, else 1."""
    from chaosday.running.project import differences

    said = list(differences(folder))
    if not said:
        say(f"{folder} is as chaosday init would write it today")
        return 0
    say_text("".join(said))
    return 1
