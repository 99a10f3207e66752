"""``chaosday diff``: do two tables, queries or files hold the same rows?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chaosday.errors import AccessDenied, TargetUnreachable, UsageError
from chaosday.progress import listening
from chaosday.record.outputs import claim
from chaosday.reporting.several import each_of
from chaosday.reporting.terminal import say, say_json

if TYPE_CHECKING:
    from chaosday.data.reconcile.options import DiffOptions
    from chaosday.data.reconcile.result import DiffResult
    from chaosday.data.reconcile.sides import Side

Question = TypeVar("Question")
LOCK_TIMEOUT_S = 60.0
lock_timeout_option = click.option(
    "--lock-timeout",
    type=float,
    default=LOCK_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a lock of somebody else's; what is waited for is said on standard error.",
)


@click.command("diff", short_help="Compare the rows of two data sets; exit 0 equal, 1 different.")
@click.argument("sides", metavar="LEFT RIGHT ...", nargs=-1, required=True)
@click.option(
    "--key", "-k", multiple=True, help="Columns that identify a row, with commas between; none: as multisets."
)
@click.option(
    "--table", multiple=True, help="The table on both sides, where the URLs do not name it; again for others."
)
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
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Parquet file for all differences.",
)
@click.option("--pull", is_flag=True, help="Read both sides through this machine even if the databases could hash.")
@lock_timeout_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, a line for each pair.")
def command(sides: tuple[str, ...], table: tuple[str, ...], as_json: bool, **given: object) -> None:
    """Compare the rows of LEFT and RIGHT; exit 0 equal, 1 different, 2 inconclusive, 69 where a side cannot be reached.

    A side is a SQLAlchemy-style URL with a table or query (postgresql://HOST/DB#schema.table,
    sqlite:///FILE#select ...; also mysql, mariadb, duckdb), a Parquet or CSV path or glob,
    s3://BUCKET/KEY, or a lake table (delta://FOLDER, delta+s3://BUCKET/PREFIX, iceberg://CATALOGUE#NAMESPACE.TABLE,
    iceberg+sqlite://FILE#...), at ?version=N or ?snapshot=ID. In a shell, quote what has # or spaces. Of several
    pairs or tables each gets its own answer or its own error, and the worst of them is the exit code.
    """
    pairs = paired(sides, "LEFT RIGHT")
    asked = [(left, right, name) for left, right in pairs for name in (table or [""])]
    if len(asked) > 1 and given["output"]:
        raise UsageError("--output takes the differences of one pair; leave it out, and each has a file of its own")

    def one(question: tuple[str, str, str]) -> int:
        left, right, name = question
        return _compared(left, right, {**given, "table": name}, as_json)

    sys.exit(answered_each(asked, one, as_json))


def answered_each(asked: Sequence[Question], answer: Callable[[Question], int], as_json: bool) -> int:
    """Answer each comparison, under its number where there are several, and give the worst exit code.

    ``answer`` prints its answer and gives its exit code. One that could not be made is answered in JSON as well,
    where JSON was asked for.
    """

    def shown(numbered: tuple[int, Question]) -> str:
        return f"{numbered[0]} of {len(asked)}"

    def one(numbered: tuple[int, Question]) -> int:
        if len(asked) > 1 and not as_json:
            say(f"{shown(numbered)}:")
        return answer(numbered[1])

    try:
        unread = (lambda _, words: _unread(words)) if as_json else None
        return each_of(list(enumerate(asked, 1)), one, shown=shown, unread=unread)
    except (TargetUnreachable, AccessDenied) as error:
        if as_json:
            say_json(_unread(str(error)))
        raise


def _unread(words: str) -> dict[str, Any]:
    """The JSON of a comparison that could not be made."""
    return {"equal": None, "reasons": [words]}


def paired(given: Sequence[str], words: str) -> list[tuple[str, str]]:
    """Arguments two by two."""
    if len(given) % 2:
        raise UsageError(f"give {words}: arguments come in pairs, and there are {len(given)}")
    return list(zip(given[::2], given[1::2], strict=True))


def _compared(left: str, right: str, given: dict[str, object], as_json: bool) -> int:
    from chaosday.data.reconcile.compare import compare

    sides, options = _asked(left, right, given)
    claim(options.output, [path for side in sides for path in side.files])
    with listening(lambda step: say(step.words, err=True)):
        result = compare(*sides, options)
    _print(result, as_json)
    return result.exit_code


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
        key=tuple(names(given["key"])),
        fast=bool(given["fast"]),
        columns=tuple(names(given["columns"])),
        ignored=frozenset(names(given["ignore"])),
        renamed=dict(_pairs(given["rename"], "--rename")),
        tolerances={name: _number(name, value) for name, value in _pairs(given["tolerance"], "--tolerance")},
        output=output if isinstance(output, Path) else None,
        pull=bool(given["pull"]),
        patience=Patience(lock_timeout_s=float(str(given["lock_timeout"]))),
    )
    return (sides[0], sides[1]), options


def names(given: object) -> list[str]:
    """The names that an option was given, any number of times and with commas between."""
    listed = given if isinstance(given, Sequence) else ()
    return [name.strip() for text in listed for name in str(text).split(",") if name.strip()]


def _pairs(given: object, option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in names(given):
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
    if not 0 <= number < float("inf"):
        raise UsageError(f"the tolerance of {name} has to be a number of zero or more, not {text!r}")
    return number


def _print(result: DiffResult, as_json: bool) -> None:
    if as_json:
        say_json(result.to_dict())
        for reason in result.reasons:
            say(f"inconclusive: {reason}", err=True)
        return
    word = {True: "equal", False: "different", None: "inconclusive"}[result.equal]
    say(f"{word}: {result.rows_left:,} rows on the left, {result.rows_right:,} on the right ({result.mode})")
    if result.added or result.removed or result.changed:
        say(f"  added {result.added:,}  removed {result.removed:,}  changed {result.changed:,}")
    for name, count in sorted(result.changed_columns.items(), key=lambda item: -item[1]):
        say(f"  changed in {name}: {count:,}")
    if result.duplicate_keys:
        both = f"{result.duplicate_keys_left:,} on the left, {result.duplicate_keys_right:,} on the right"
        say(f"  keys that occur more than once: {both} ({'; '.join(result.duplicate_sample[:5])})")
    if result.sample_keys:
        say(f"  first keys: {'; '.join(result.sample_keys[:5])}")
    for title, lines in (("note", result.notes), ("inconclusive", result.reasons), ("blind to", result.blind_to)):
        for line in lines:
            say(f"  {title}: {line}")
    if result.differences:
        say(f"  all differences: {result.differences}")
