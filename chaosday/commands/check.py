"""``chaosday check FILE... --as MODEL``: judge histories, anybody's, without the rest of chaosday."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from pydantic import ValidationError

from chaosday.checkers.base import HistoryCheck, ResultMap, foreign_to
from chaosday.data import formats
from chaosday.data.formats.events import Imported
from chaosday.errors import MalformedHistory, UnknownName, UsageError
from chaosday.record.outputs import write_output
from chaosday.registry import members

EXIT = {True: 0, False: 1, "unknown": 2}
_WORST = {True: 0, "unknown": 1, False: 2}
_PRINTED = ("file", "valid?", "anomaly-types", "not", "examined", "reason")
_CASES_PRINTED = 3


def models() -> dict[str, type[HistoryCheck]]:
    """Every model a history can be judged as, by the name that ``--as`` takes."""
    found = [check for check in members("checks").values() if issubclass(check, HistoryCheck) and check.model]
    return {check.model: check for check in sorted(found, key=lambda check: check.model)}


def configured(model: str, imported: Imported, given: Mapping[str, Any]) -> HistoryCheck:
    """The check of a model with its options: those given, else those that the file states, else its defaults."""
    known = models()
    if model not in known:
        raise UnknownName(f"no model {model!r}; there are {', '.join(known)}")
    check = known[model]
    stated = {_option(name): value for name, value in imported.options.items() if name != "arguments"}
    for name, value in zip(check.arguments, imported.options.get("arguments", ()), strict=False):
        stated[name] = value
    for argument in imported.options.get("arguments", ()):
        if isinstance(argument, Mapping):
            stated |= {_option(name): value for name, value in argument.items()}
    options = {name: value for name, value in {**stated, **given}.items() if name in check.model_fields}
    strange = [name for name in given if name not in check.model_fields]
    if strange:
        raise UsageError(f"{model} has no option {strange[0].replace('_', '-')}")
    try:
        return check(**options)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"option {first['loc'][0]} of {model}: {first['msg']}") from None


def judged(path: Path, model: str, format: str | None, given: Mapping[str, Any]) -> tuple[ResultMap, Imported]:
    """The result map of one file, with ``file``, ``model``, ``format``, ``not`` and ``reason`` filled in."""
    try:
        imported = formats.read(path, format)
        check = configured(model, imported, given)
        result = check.analyse(imported.history)
    except MalformedHistory as error:
        raise MalformedHistory(f"{path}: {error}") from None
    if imported.published and check.empty_is_valid and not len(imported.history):
        result |= {"valid?": True, "reason": "empty: valid by the convention of the project that published it"}
    result = {"file": str(path), **{"not": [], "reason": None}, **result, "model": model, "format": imported.format}
    notes = list(imported.notes)
    if check.asks and (foreign := foreign_to(imported.history, check.asks)):
        notes.append(f"not looked at: {foreign}")
    if notes:
        result["notes"] = notes
    return result, imported


def recheck(runs: Sequence[Path], *, as_json: bool) -> int:
    """Judge runs again by their own checks, when ``--as`` names no model; the exit code is the worst finding's."""
    from chaosday.judging.rejudging import judge_again, shown
    from chaosday.judging.verdict import EXIT_CODES, worst
    from chaosday.record.run_directory import RunDirectory

    outcomes = []
    for run in runs:
        if not run.is_dir():
            raise UsageError(f"say what {run} is to be judged as: --as MODEL, of {', '.join(models())}")
        findings = judge_again(RunDirectory.open(run))
        outcomes += [finding.outcome for finding in findings]
        click.echo(orjson.dumps([f.model_dump(mode="json") for f in findings]) if as_json else shown(findings))
    return EXIT_CODES[worst(outcomes)]


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--as", "model", metavar="MODEL", help="What it is a history of: register, list-append, set-full, ...")
@click.option(
    "--format", "format", type=click.Choice(formats.FORMATS), help="The file's format; by default it is found out."
)
@click.option(
    "--consistency", multiple=True, metavar="LEVEL", help="Consistency model it should hold; may be repeated."
)
@click.option("--anomaly", "anomalies", multiple=True, metavar="NAME", help="Anomaly that must not be there either.")
@click.option("--initial", metavar="JSON", help="What a register or key holds at first.")
@click.option("--nil-read", type=click.Choice(["wildcard", "value"]), help="What a read of nil means.")
@click.option("--failed-cas", type=click.Choice(["ignored", "mismatch"]), help="What a refused compare-and-set means.")
@click.option("-o", "--option", "more", multiple=True, metavar="NAME=JSON", help="Any other option of the model.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a timeline of the offending operations."
)
@click.option("--json", "as_json", is_flag=True, help="One result map a line, and nothing else.")
def command(
    files: tuple[Path, ...], model: str | None, format: str | None, html: Path | None, as_json: bool, **options: Any
) -> None:
    """Judge histories. Exit 0 valid, 1 invalid, 2 unknown, the worst of several; 64 for what cannot be read."""
    if model is None:
        raise SystemExit(recheck(files, as_json=as_json))
    given = _given(**options)
    results = []
    for path in files:
        result, imported = judged(path, model, format, given)
        results.append(result)
        if as_json:
            click.echo(orjson.dumps(_printed(result), option=orjson.OPT_NON_STR_KEYS, default=str))
        else:
            _show(result)
        if html is not None:
            from chaosday.reporting.anomaly_timeline import page

            name = html if len(files) == 1 else html.with_stem(f"{html.stem}-{len(results)}")
            write_output(name, page(imported.history, result))
    raise SystemExit(EXIT[max((result["valid?"] for result in results), key=_WORST.__getitem__)])


def _given(
    consistency: tuple[str, ...],
    anomalies: tuple[str, ...],
    initial: str | None,
    more: tuple[str, ...],
    **plain: str | None,
) -> dict[str, Any]:
    given: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
    if consistency:
        given["consistency_models"] = consistency
    if anomalies:
        given["anomalies"] = anomalies
    if initial is not None:
        given["initial"] = _json(initial)
    for word in more:
        name, separator, value = word.partition("=")
        if not separator:
            raise UsageError(f"an option is NAME=VALUE, not {word!r}")
        given[_option(name)] = _json(value)
    return given


def _json(word: str) -> Any:
    try:
        return orjson.loads(word)
    except orjson.JSONDecodeError:
        return word  # a bare word is a text


def _option(name: str) -> str:
    return name.rstrip("?").replace("-", "_")


def _printed(result: ResultMap) -> dict[str, Any]:
    first = {name: result.get(name) for name in _PRINTED}
    cases = {name: cases[:_CASES_PRINTED] for name, cases in result.get("anomalies", {}).items()}
    return {**first, **{name: value for name, value in result.items() if name not in first}, "anomalies": cases}


def _show(result: ResultMap) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    words = {True: "[green]valid[/]", False: "[red]invalid[/]", "unknown": "[yellow]unknown[/]"}
    verdict = f"{words[result['valid?']]}, {result['examined']} operations examined"
    console.print(f"{escape(result['file'])} as {result['model']}: {verdict}")
    if result["reason"]:
        console.print(escape(result["reason"]))
    for note in result.get("notes", ()):
        console.print(escape(note), style="dim")
    if not result["anomaly-types"]:
        return
    table = Table("anomaly", "times", "first seen")
    for name in result["anomaly-types"]:
        cases = result["anomalies"].get(name) or [None]
        table.add_row(name, str(result["anomaly-counts"].get(name, len(cases))), escape(_brief(cases[0])))
    console.print(table)
    if result["not"]:
        console.print(f"so it is not {', '.join(result['not'])}")
    story = next(
        (
            case["story"]
            for cases in result["anomalies"].values()
            for case in cases
            if isinstance(case, dict) and "story" in case
        ),
        None,
    )
    if story:
        console.print(escape(story))


def _brief(case: Any) -> str:
    if not isinstance(case, dict):
        return str(case)
    kept = {name: value for name, value in case.items() if name not in ("story", "steps", "type")}
    return ", ".join(f"{name} {value}" for name, value in kept.items())[:160]
