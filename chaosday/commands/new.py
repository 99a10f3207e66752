"""``chaosday new``: a first experiment for one's own system."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.drills.starter import starter
from chaosday.errors import UsageError
from chaosday.record.outputs import unwritable
from chaosday.reporting.terminal import say


@click.command("new", short_help="Write a first experiment for your own system.")
@click.argument("address")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(address: str, file: Path) -> int:
    """Write to FILE a small experiment on the system at ADDRESS, postgresql://user@host:5432/database.

    Nothing is reached and nothing is touched: look at FILE, then ``chaosday plan FILE`` and ``chaosday run FILE``.
    """
    text = starter(address)
    try:
        with file.open("x") as written:
            written.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already; name another file") from None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    except OSError as error:
        raise unwritable(file, error) from None
    say(f"{file} is written. What it would touch: chaosday plan {file}")
    return 0
