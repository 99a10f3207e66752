"""``chaosday cover``: a file system over a directory, in which storage faults can come and go below a service."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.reporting.terminal import say


@click.command("cover", short_help="Lay a file system over a directory, so that storage faults reach what runs on it.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--direct", is_flag=True, help="Without page cache: every read comes by; no shared memory maps.")
def command(directory: Path, direct: bool) -> None:
    """Pass everything through until stopped by a signal; faults of the kind storage.* on this path are done in it.

    Start it before the service that uses DIRECTORY: files that are open already stay out of reach. It needs root.
    """
    from chaosday.mechanisms.disks.cover import covered, until_ended

    with covered(directory, direct=direct) as cover:
        say(f"{directory} is covered ({cover.name}); start what uses it now. Ctrl-C takes the cover off.")
        until_ended(directory)
