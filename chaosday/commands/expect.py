"""``chaosday expect``: a suite of expectations on a table or a file, and a suite from a baseline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from chaosday.commands.diff import lock_timeout_option
from chaosday.errors import AccessDenied, MalformedInput, TargetUnreachable, UsageError
from chaosday.progress import listening
from chaosday.record.inputs import InputPath
from chaosday.record.outputs import claim, write_output
from chaosday.reporting.terminal import say, say_json

if TYPE_CHECKING:
    from chaosday.data.expectations import Expectation

EXIT = {"pass": 0, "violated": 1, "inconclusive": 2}


@click.command("expect", short_help="Validate a suite of expectations, or make one from a baseline.")
@click.argument("data")
@click.option("--suite", type=InputPath(), help="The suite to validate: a JSON list of expectations.")
@click.option("--profile", type=click.Path(path_type=Path), help="Write a suite that DATA meets now.")
@click.option("--key", default="id", show_default=True, help="The column that tells rows apart.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as a page.")
@lock_timeout_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def command(
    data: str,
    suite: Path | None,
    profile: Path | None,
    key: str,
    html: Path | None,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """Validate a Great Expectations suite on DATA: URL#TABLE, URL#SELECT ..., a Parquet or CSV path.

    Exit 0 when all are met, 1 when one is not, 2 where nothing can be concluded: no rows, or an expectation that
    could not be evaluated; 69 where DATA cannot be reached."""
    from chaosday.data.connections.waiting import Patience
    from chaosday.data.expectations import validated
    from chaosday.data.frames import frame
    from chaosday.data.profiling import profiled
    from chaosday.data.reconcile.sides import Side
    from chaosday.reporting.expectations_page import page, records

    if (suite is None) == (profile is None):
        raise UsageError("give --suite FILE to validate, or --profile FILE to write a suite from a baseline")
    side = Side.parse(data)
    read: list[str | Path] = [*side.files, *([suite] if suite else [])]
    claim(profile, read)
    claim(html, [*read, *([profile] if profile else [])])
    wanted = [] if suite is None else _suite(suite)
    try:
        with listening(lambda step: say(step.words, err=True)):
            rows = frame(side, Patience(lock_timeout_s=lock_timeout))
    except (TargetUnreachable, AccessDenied) as error:
        if as_json:
            say_json({"outcome": "inconclusive", "rows": 0, "reason": str(error), "results": []})
        raise
    if profile is not None:
        made = profiled(rows, key)
        listed_json = [each.model_dump() for each in made]
        write_output(profile, orjson.dumps(listed_json, option=orjson.OPT_INDENT_2, default=str))
        say(f"{len(made)} expectations that {len(rows):,} rows meet: {profile}")
        return
    if key not in rows.columns:
        raise UsageError(f"there is no column {key}; name the one that tells rows apart with --key")
    results = validated(rows, wanted, key) if len(rows) and wanted else []
    if html is not None and results:
        write_output(html, page(f"Expectations of {side}", len(rows), wanted, results))
    listed = records(wanted if results else [], results)
    outcomes = {record["outcome"] for record in listed} or {"inconclusive"}
    outcome = next(each for each in ("violated", "inconclusive", "pass") if each in outcomes)
    reason = "" if results else "nothing was examined: no rows, or no expectation"
    _end({"outcome": outcome, "rows": len(rows), "reason": reason, "results": listed}, as_json)


def _suite(path: Path) -> list[Expectation]:
    from chaosday.data.expectations import Expectation
    from chaosday.data.suites import entries

    try:
        return [Expectation(**entry) for entry in entries(path.read_bytes())]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except MalformedInput as error:
        raise MalformedInput(f"{path}: {error}") from None


def _end(said: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(said)
    else:
        for record in said["results"]:
            say(f"{record['outcome']:12} {record['expectation']} ({record['of']}) {record['found']}".rstrip())
        say(f"{said['outcome']}: {said['rows']:,} rows{'; ' + said['reason'] if said['reason'] else ''}")
    sys.exit(EXIT[said["outcome"]])
