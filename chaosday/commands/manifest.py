"""``chaosday manifest``: what a directory, a prefix or a table held, and what became of it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaosday.errors import UsageError
from chaosday.record.outputs import unwritable

if TYPE_CHECKING:
    from chaosday.data.manifest import Comparison, Manifest

_MADE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("manifest")
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
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def make(source: str, out: Path, key: str | None, previous: Path | None, reread: bool, quiet: bool) -> None:
    """Write the manifest of SOURCE to OUT; broken off and called again, it goes on where it was.

    SOURCE is a directory, s3://BUCKET/PREFIX, or postgresql://HOST/DB#TABLE with --key.
    """
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent} to write the manifest to")
    memory = out.with_name(out.name + ".resume")
    manifest = _made(source, key, previous, memory, (reread, quiet))
    try:
        manifest.write(out)
    except OSError as error:
        raise unwritable(out, error) from None
    memory.unlink(missing_ok=True)
    click.echo(f"{len(manifest):,} pieces, root {manifest.root}")
    _tell_unread(manifest.header.unread)


@command.command("compare")
@click.argument("before", type=_MADE)
@click.argument("after", type=_MADE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def compare_(before: Path, after: Path, as_json: bool) -> None:
    """Compare two manifests; exit 0 equal, 1 different, 2 inconclusive."""
    from chaosday.data.manifest import Manifest, compare

    _tell(compare(Manifest.read(before), Manifest.read(after)), as_json)


@command.command("check")
@click.argument("before", type=_MADE)
@click.argument("source")
@click.option("--key", "-k", help="For a table: the columns of its key, with commas between.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def check(before: Path, source: str, key: str | None, as_json: bool, quiet: bool) -> None:
    """Compare what SOURCE holds now with the manifest BEFORE; exit 0 equal, 1 different, 2 inconclusive."""
    from chaosday.data.manifest import Manifest, compare

    old = Manifest.read(before)
    reread = old.header.digest_of == "bytes"
    _tell(compare(old, _made(source, key, before if key else None, None, (reread, quiet))), as_json)


def _made(source: str, key: str | None, previous: Path | None, memory: Path | None, how: tuple[bool, bool]) -> Manifest:
    from chaosday.data.manifest import Manifest, of_directory, of_objects, of_table

    reread, quiet = how
    old = Manifest.read(previous) if previous else None
    with _bar(quiet) as progress:
        if source.startswith("s3://"):
            from chaosday.clients.objects import Bucket

            name, _, prefix = source.removeprefix("s3://").partition("/")
            return of_objects(Bucket(name), prefix, reread=reread, previous=old, progress=progress)
        if "://" in source:
            from chaosday.data.reconcile.sides import Side

            return of_table(Side.parse(source), [name.strip() for name in (key or "").split(",") if name], previous=old)
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
        import orjson

        click.echo(orjson.dumps(comparison.to_dict()))
        sys.exit(comparison.exit_code)
    word = {True: "equal", False: "different", None: "inconclusive"}[comparison.equal]
    click.echo(f"{word}: {comparison.pieces_before:,} pieces before, {comparison.pieces_after:,} after")
    for damage in comparison.damage[:50]:
        click.echo(f"  {damage.kind}: {damage.name}" + (f" ({damage.other})" if damage.other else ""))
    if len(comparison.damage) > 50:
        click.echo(f"  and {len(comparison.damage) - 50:,} more")
    for line in comparison.blind_to:
        click.echo(f"  blind to: {line}")
    _tell_unread(comparison.unread)
    sys.exit(comparison.exit_code)


def _tell_unread(unread: dict[str, str]) -> None:
    for name, why in list(unread.items())[:20]:
        click.echo(f"  not read: {name}: {why}", err=True)
    if unread:
        sys.exit(2)
