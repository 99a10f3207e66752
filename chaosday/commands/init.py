"""``chaosday init``: a project of one's own, with flows, tasks and blocks to change, from what is installed."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.reporting.terminal import say


@click.command("init", short_help="Lay down a project or a plugin of your own: files to change, and a first test.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--plugin", "name", default="", metavar="NAME", help="A package with members of your own, called NAME.")
def command(folder: Path, name: str) -> int:
    """Write a project to FOLDER, which is new or empty: pyproject.toml, flows/, tasks/, blocks/, deployments/,
    notebooks/ and tests/. It is yours to change; ``chaosday upgrade FOLDER`` shows later what has changed since.

    With --plugin it is a package instead, with an action, a probe and a check that chaosday finds once it is installed.
    """
    from chaosday.running.plugin import plugin
    from chaosday.running.project import contents, laid_down

    files = laid_down(folder, plugin(name) if name else contents())
    say(f"{len(files)} files are written to {folder}. Then: cd {folder}, and pip install -e '.[test]'")
    return 0
