"""``chaosday diff``: do two tables, queries or files hold the same rows?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaosday.errors import AccessDenied, TargetUnreachable, UsageError
from chaosday.progress import listening

if TYPE_CHECKING:
    from chaosday.data.reconcile.options import DiffOptions
    from chaosday.data.reconcile.result import DiffResult
    from chaosday.data.reconcile.sides import Side


@click.command("diff")
@click.argument("left")
@click.argument("right")
@click.option(
    "--key", "-k", multiple=True, help="Columns that identify a row, with commas between; none: as multisets."
)
@click.option("--table", help="The table on both sides, where the URLs do not name it after a #.")
@click.option("--left-table", "--left-query", "left_what", help="Table or query of the left side.")
@click.option("--right-table", "--right-query", "right_what", help="Table or query of the right side.")
@click.option("--fast", is_flag=True, help="Trust the database's own record hashes; says what they cannot see.")
@click.option("--columns", "-c", multiple=True, help="Compare only these columns.")
@click.option("--ignore", "-i", multiple=True, help="Leave these columns out.")
@click.option("--rename", multiple=True, metavar="LEFT=RIGHT", help="A column that has another name on the right.")
@click.option(
    "--tolerance", multiple=True, metavar="COLUMN=N", help="Differences up to N (seconds for times) are none."
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Parquet file for all differences."
)
@click.option("--pull", is_flag=True, help="Read both sides through this machine even if the databases could hash.")
@click.option(
    "--lock-timeout", type=float, default=60.0, show_default=True, help="Seconds to wait for a lock of somebody else's."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def command(left: str, right: str, as_json: bool, **given: object) -> None:
    """Compare the rows of LEFT and RIGHT; exit 0 equal, 1 different, 2 inconclusive, 69 where a side cannot be reached.

    A side is a SQLAlchemy-style URL with a table or query (postgresql://HOST/DB#schema.table,
    sqlite:///FILE#select ...; also mysql, mariadb, duckdb), a Parquet or CSV path or glob, or
    s3://BUCKET/KEY. In a shell, quote what has # or spaces.
    """
    from chaosday.data.reconcile.compare import compare

    try:
        sides, options = _asked(left, right, given)
        with listening(lambda step: click.echo(step.words, err=True)):
            result = compare(*sides, options)
    except (TargetUnreachable, AccessDenied) as error:
        if as_json:
            import orjson

            click.echo(orjson.dumps({"equal": None, "reasons": [str(error)]}))
        raise
    _print(result, as_json)
    sys.exit(result.exit_code)


def _asked(left: str, right: str, given: dict[str, object]) -> tuple[tuple[Side, Side], DiffOptions]:
    from chaosday.data.connections.waiting import Patience
    from chaosday.data.reconcile.options import DiffOptions
    from chaosday.data.reconcile.sides import SYNTAX, Side

    sides = []
    for text, name in ((left, "left"), (right, "right")):
        side = Side.parse(text)
        what = given[f"{name}_what"] or given["table"]
        if what and not side.path:
            side = side.reading(str(what))
        if not side.rows_named:
            raise UsageError(f"the {name} side names no table; {SYNTAX}")
        sides.append(side)
    output = given["output"]
    options = DiffOptions(
        key=tuple(_names(given["key"])),
        fast=bool(given["fast"]),
        columns=tuple(_names(given["columns"])),
        ignored=frozenset(_names(given["ignore"])),
        renamed=dict(_pairs(given["rename"], "--rename")),
        tolerances={name: _number(name, value) for name, value in _pairs(given["tolerance"], "--tolerance")},
        output=output if isinstance(output, Path) else None,
        pull=bool(given["pull"]),
        patience=Patience(lock_timeout_s=float(str(given["lock_timeout"]))),
    )
    return (sides[0], sides[1]), options


def _names(given: object) -> list[str]:
    listed = given if isinstance(given, Sequence) else ()
    return [name.strip() for text in listed for name in str(text).split(",") if name.strip()]


def _pairs(given: object, option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in _names(given):
        name, equals, value = text.partition("=")
        if not (equals and name and value):
            raise UsageError(f"{option} wants NAME=VALUE, not {text!r}")
        pairs.append((name, value))
    return pairs


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise UsageError(f"the tolerance of {name} has to be a number of zero or more, not {text!r}")
    return number


def _print(result: DiffResult, as_json: bool) -> None:
    if as_json:
        import orjson

        click.echo(orjson.dumps(result.to_dict()))
        for reason in result.reasons:
            click.echo(f"inconclusive: {reason}", err=True)
        return
    word = {True: "equal", False: "different", None: "inconclusive"}[result.equal]
    click.echo(f"{word}: {result.rows_left:,} rows on the left, {result.rows_right:,} on the right ({result.mode})")
    if result.added or result.removed or result.changed:
        click.echo(f"  added {result.added:,}  removed {result.removed:,}  changed {result.changed:,}")
    for name, count in sorted(result.changed_columns.items(), key=lambda item: -item[1]):
        click.echo(f"  changed in {name}: {count:,}")
    if result.duplicate_keys:
        both = f"{result.duplicate_keys_left:,} on the left, {result.duplicate_keys_right:,} on the right"
        click.echo(f"  keys that occur more than once: {both} ({'; '.join(result.duplicate_sample[:5])})")
    if result.sample_keys:
        click.echo(f"  first keys: {'; '.join(result.sample_keys[:5])}")
    for title, lines in (("note", result.notes), ("inconclusive", result.reasons), ("blind to", result.blind_to)):
        for line in lines:
            click.echo(f"  {title}: {line}")
    if result.differences:
        click.echo(f"  all differences: {result.differences}")
