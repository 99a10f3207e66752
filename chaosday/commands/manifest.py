"""``chaosday manifest``: what a directory, a prefix or a table held, and what became of it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaosday.commands.diff import LOCK_TIMEOUT_S, answered_each, lock_timeout_option, paired
from chaosday.errors import UsageError
from chaosday.progress import listening
from chaosday.record.foreign_words import one_line
from chaosday.record.inputs import InputPath, refuse_special
from chaosday.record.outputs import claim
from chaosday.reporting.terminal import say, say_json

if TYPE_CHECKING:
    from chaosday.data.manifest import Comparison, Manifest

_MADE = InputPath(exists=True, dir_okay=False)


@click.group("manifest", short_help="Make Merkle manifests of directories, S3 prefixes and tables, and compare them.")
def command() -> None:
    """Make Merkle manifests of directories, S3 prefixes and tables, and compare them."""


@command.command("make")
@click.argument("source")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--key", "-k", help="For a table: the columns of its key, with commas between.")
@click.option(
    "--previous", type=_MADE, help="An older manifest: its contents are the past by which stale ones are known."
)
@click.option("--reread", is_flag=True, help="For S3: read and hash the bytes, and do not trust the listing.")
@lock_timeout_option
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def make(
    source: str, out: Path, key: str | None, previous: Path | None, reread: bool, lock_timeout: float, quiet: bool
) -> None:
    """Write the manifest of SOURCE to OUT; broken off and called again, it goes on where it was.

    SOURCE is a directory, s3://BUCKET/PREFIX, or with --key a table: postgresql://HOST/DB#TABLE, delta://FOLDER,
    iceberg+sqlite://FILE#NAMESPACE.TABLE. OUT lies outside of it.
    """
    memory = out.with_name(out.name + ".resume")
    for written in (out, memory):
        claim(written, [*([] if "://" in source else [source]), *([previous] if previous else [])])
    manifest = _made(source, key, previous, memory, _How(reread, quiet, lock_timeout))
    manifest.write(out)
    memory.unlink(missing_ok=True)
    say(f"{len(manifest):,} pieces, root {manifest.root}")
    _tell_unread(manifest.header.unread)
    sys.exit(2 if manifest.header.unread else 0)


@command.command("compare")
@click.argument("before", type=_MADE)
@click.argument("after", type=_MADE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def compare_(before: Path, after: Path, as_json: bool) -> None:
    """Compare two manifests; exit 0 equal, 1 different, 2 inconclusive."""
    from chaosday.data.manifest import Manifest, compare

    found = compare(Manifest.read(before), Manifest.read(after))
    _tell(found, as_json)
    sys.exit(found.exit_code)


@command.command("check")
@click.argument("pairs", metavar="BEFORE SOURCE ...", nargs=-1, required=True)
@click.option("--key", "-k", help="For a table: the columns of its key, with commas between.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, a line for each pair.")
@lock_timeout_option
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def check(pairs: tuple[str, ...], key: str | None, as_json: bool, lock_timeout: float, quiet: bool) -> None:
    """Compare what SOURCE holds now with the manifest BEFORE; exit 0 equal, 1 different, 2 inconclusive.

    Of several pairs each gets its own answer or its own error, and the worst of them is the exit code.
    """

    def one(pair: tuple[str, str]) -> int:
        found = _checked(Path(pair[0]), pair[1], key, _How(quiet=quiet, lock_timeout_s=lock_timeout))
        _tell(found, as_json)
        return found.exit_code

    sys.exit(answered_each(paired(pairs, "BEFORE SOURCE"), one, as_json))


@dataclass(frozen=True)
class _How:
    """How a source is read: S3 by its bytes or its listing, with a bar or without, waiting so long for a lock."""

    reread: bool = False
    quiet: bool = False
    lock_timeout_s: float = LOCK_TIMEOUT_S
    compared_to: Manifest | None = None


def _checked(before: Path, source: str, key: str | None, how: _How) -> Comparison:
    from chaosday.data.manifest import Manifest, compare

    refuse_special(before)
    old = Manifest.read(before)
    how = replace(how, reread=old.header.digest_of == "bytes", compared_to=old)
    return compare(old, _made(source, key, before if key else None, None, how))


def _made(source: str, key: str | None, previous: Path | None, memory: Path | None, how: _How) -> Manifest:
    from chaosday.data.connections.waiting import Patience
    from chaosday.data.manifest import Manifest, of_directory, of_objects, of_rows, of_table

    patience = Patience(lock_timeout_s=how.lock_timeout_s)
    old = Manifest.read(previous) if previous else None
    with _bar(how.quiet) as progress, listening(lambda step: say(step.words, err=True)):
        if source.startswith("s3://"):
            from chaosday.clients.objects import Bucket

            name, _, prefix = source.removeprefix("s3://").partition("/")
            return of_objects(Bucket(name), prefix, reread=how.reread, previous=old, compared_to=how.compared_to,
                              progress=progress)  # fmt: skip
        if "://" in source:
            from chaosday.data.reconcile.sides import LAKES, Side

            names = [name.strip() for name in (key or "").split(",") if name]
            side = Side.parse(source)
            made = of_rows if side.engine in LAKES else of_table
            return made(side, names, previous=old, patience=patience)
        if key:
            raise UsageError("--key is for a table, and the source is a directory")
        refuse_special(Path(source))
        return of_directory(Path(source), previous=old, resume=memory, progress=progress)


@contextlib.contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("hashing", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(comparison: Comparison, as_json: bool) -> None:
    if as_json:
        say_json(comparison.to_dict())
        return
    word = {True: "equal", False: "different", None: "inconclusive"}[comparison.equal]
    say(f"{word}: {comparison.pieces_before:,} pieces before, {comparison.pieces_after:,} after")
    for damage in comparison.damage[:50]:
        say(f"  {damage.kind}: {one_line(damage.name)}" + (f" ({one_line(damage.other)})" if damage.other else ""))
    if len(comparison.damage) > 50:
        say(f"  and {len(comparison.damage) - 50:,} more")
    for line in comparison.reasons:
        say(f"  inconclusive: {one_line(line)}")
    for line in comparison.blind_to:
        say(f"  blind to: {line}")
    _tell_unread(comparison.unread)


def _tell_unread(unread: dict[str, str]) -> None:
    for name, why in list(unread.items())[:20]:
        say(f"  not read: {one_line(name)}: {one_line(why)}", err=True)
