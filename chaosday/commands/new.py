"""``chaosday new``: a first experiment for one's own system, or a first drill of one's own pipeline."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from chaosday.drills.starter import look, starter
from chaosday.errors import UsageError
from chaosday.record.outputs import unwritable
from chaosday.reporting.terminal import say


@click.command("new", short_help="Write a first experiment for your own system, or a drill of your own pipeline.")
@click.argument("words", nargs=-1, required=True, metavar="[ADDRESS] FILE")
@click.option("--unseen", is_flag=True, help="Write the file for a system that cannot be reached from here.")
@click.option("--pipeline", default="", metavar="COMMAND", help="A command whose runs are to be drilled.")
@click.option(
    "--store", "stores", multiple=True, metavar="[NAME=]ADDRESS", help="Its database, a dump of it, or *.sql."
)
@click.option("--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where it is to be run.")
def command(words: tuple[str, ...], unseen: bool, pipeline: str, stores: tuple[str, ...], folder: Path | None) -> int:
    """Write to FILE a small experiment on the system at ADDRESS: postgresql://, mysql://, redis://, nats://, amqp://,
    etcd://, s3://, ssh://, kubernetes://, a .sqlite or .duckdb file, or a folder.

    The system is looked at, and nothing in it is touched: look at FILE, then ``chaosday plan FILE`` and ``chaosday run
    FILE``. With --unseen it is not even reached.

    With --pipeline FILE becomes a pipeline drill: the stores are copied, and the command is run twice in the copies, to
    see what it writes to and what differs by itself. The stores are only read.
    """
    *address, name = words
    file = Path(name)
    if file.exists():
        raise UsageError(f"{file} is there already; name another file")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"{file} cannot be written: there is no folder {file.parent}")
    if len(address) != (0 if pipeline else 1):
        raise UsageError("write: chaosday new ADDRESS FILE, or: chaosday new --pipeline COMMAND --store ADDRESS FILE")
    text = _drafted(pipeline, stores, folder) if pipeline else starter(address[0])
    if not pipeline and not unseen:
        say(look(text))
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


def _drafted(pipeline: str, stores: tuple[str, ...], folder: Path | None) -> str:
    """The file of a drill, by what two runs in copies show; everything made for it is taken away."""
    from chaosday.clock import SystemClock
    from chaosday.drills.pipelines.kind import PipelineKind
    from chaosday.drills.pipelines.starting import first_drill
    from chaosday.record.run_directory import RunDirectory
    from chaosday.running.run import Run

    kind = PipelineKind(first_drill(pipeline, stores, folder))
    with tempfile.TemporaryDirectory(prefix="chaosday-new-") as scratch:
        directory = RunDirectory.create(Path(scratch), "new", SystemClock())
        with Run(kind, directory) as run:
            run.preflight()
            text = run.guarded(lambda: kind.drafted(run)) if run.ready else None
            run.rollback()
    if text is None:
        raise UsageError("; ".join(run.shortfalls))
    return text
