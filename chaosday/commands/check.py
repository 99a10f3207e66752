"""``chaosday check FILE... --as MODEL``: judge histories, anybody's, without the rest of chaosday."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from pydantic import ValidationError

from chaosday.checkers.base import UNKNOWN, HistoryCheck, ResultMap, foreign_to
from chaosday.data import formats
from chaosday.data.formats.events import Imported
from chaosday.errors import MalformedHistory, UnknownName, UsageError
from chaosday.model.history import History
from chaosday.record.inputs import refuse_special
from chaosday.record.outputs import claim, write_output
from chaosday.registry import kinds_of, member, members
from chaosday.reporting.several import each_of
from chaosday.reporting.terminal import columns, console, plain, say, say_json, say_text

EXIT = {True: 0, False: 1, "unknown": 2}
_PRINTED = ("file", "valid?", "anomaly-types", "not", "examined", "reason")
_CASES_PRINTED = 3


def models() -> dict[str, type[HistoryCheck]]:
    """Every model a history can be judged as, by the name that ``--as`` takes."""
    found = [check for check in members("checks").values() if issubclass(check, HistoryCheck) and check.model]
    return {check.model: check for check in sorted(found, key=lambda check: check.model)}


def _called(model: str) -> type[HistoryCheck]:
    """The check of a model; where it goes by the same name among checks, no other is imported for it."""
    if model in kinds_of("checks"):
        check = member("checks", model)
        if issubclass(check, HistoryCheck) and check.model == model:
            return check
    known = models()
    if model not in known:
        raise UnknownName(f"no model {model!r}; there are {', '.join(known)}")
    return known[model]


def configured(model: str, imported: Imported, given: Mapping[str, Any]) -> HistoryCheck:
    """The check of a model with its options: those given, else those that the file states, else its defaults.

    An option given that the model lacks is an error; what a published test case states of other checks is left out.
    """
    check = _called(model)
    fields = check.model_fields.keys() - {"kind"}
    strange = [name for name in given if name not in fields]
    if strange:
        options = ", ".join(sorted(name.replace("_", "-") for name in fields)) or "none"
        raise UsageError(f"{model} has no option {strange[0].replace('_', '-')}; it has {options}")
    options_of_file = {name: value for name, value in _stated(check, imported).items() if name in fields}
    try:
        return check.model_validate({**options_of_file, **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"option {'.'.join(map(str, first['loc']))} of {model}: {first['msg']}") from None


def _stated(check: type[HistoryCheck], imported: Imported) -> dict[str, Any]:
    """The options that a file states: by name, by position, or as one map among its arguments."""
    stated = {_option(str(name)): value for name, value in imported.options.items() if name != "arguments"}
    arguments = imported.options.get("arguments", ())
    stated |= dict(zip(check.arguments, arguments, strict=False))
    for argument in arguments:
        if isinstance(argument, Mapping):
            stated |= {_option(str(name)): value for name, value in argument.items()}
    return stated


def judged(
    path: Path, model: str, format: str | None, given: Mapping[str, Any], *, independent: bool = False
) -> tuple[ResultMap, Imported]:
    """The result map of one file, with ``file``, ``model``, ``format``, ``not`` and ``reason`` filled in."""
    try:
        imported = formats.read(path, format, independent=independent)
        check = configured(model, imported, given)
        result = check.analyse(imported.history)
    except MalformedHistory as error:
        # What an error shows of a file may hold anything, line breaks too.
        raise MalformedHistory(f"{path}: {' '.join(str(error).split())}") from None
    if imported.published and check.empty_is_valid and not len(imported.history):
        result |= {"valid?": True, "reason": "empty: valid by the convention of the project that published it"}
    result = {"file": str(path), **{"not": [], "reason": None}, **result, "model": model, "format": imported.format}
    notes = list(imported.notes)
    if check.asks and (foreign := foreign_to(imported.history, check.asks)):
        notes.append(f"not looked at: {foreign}")
        if result["valid?"] is True and not imported.published:
            why = f"{foreign} are no operations of {model}: what they did is not known"
            result |= {"valid?": UNKNOWN, "reason": why}
    if notes:
        result["notes"] = notes
    return result, imported


def recheck(runs: Sequence[Path], *, as_json: bool) -> int:
    """Judge runs again by their own checks, when ``--as`` names no model; the exit code is the worst finding's."""
    from chaosday.judging.rejudging import judge_again, shown
    from chaosday.judging.verdict import EXIT_CODES, worst
    from chaosday.record.run_directory import RunDirectory

    def judged_again(run: Path) -> int:
        refuse_special(run)
        if not run.is_dir():
            raise UsageError(f"say what {run} is to be judged as: --as MODEL, of {', '.join(models())}")
        findings = judge_again(RunDirectory.open(run))
        if as_json:
            say_json([f.model_dump(mode="json") for f in findings])
        else:
            say_text(shown(findings))
        return EXIT_CODES[worst([finding.outcome for finding in findings])]

    return each_of(runs, judged_again, shown=str, unread=_unread if as_json else None)


@click.command("check", short_help="Judge histories, anybody's.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
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
@click.option("--independent", is_flag=True, help="Every value is a key and a value, [k v]: judge key by key.")
@click.option("--json", "as_json", is_flag=True, help="One result map a line, and nothing else.")
def command(
    files: tuple[Path, ...],
    model: str | None,
    format: str | None,
    html: Path | None,
    independent: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Judge histories. Exit 0 valid, 1 invalid, 2 unknown, 64 for what cannot be read; of several the worst."""
    given = _given(**options)
    if model is None:
        if given or format or html or independent:
            raise UsageError("a saved run is judged by its own checks: options are for --as MODEL")
        raise SystemExit(recheck(files, as_json=as_json))
    configured(model, Imported(History.from_rows([]), ""), given)  # a mistake on the line is no fault of any file
    pages = (
        [html] if len(files) == 1 or not html else [html.with_stem(f"{html.stem}-{n + 1}") for n in range(len(files))]
    )
    for page_path in pages:
        claim(page_path, files)
    written = iter(pages)

    def answer(path: Path) -> int:
        refuse_special(path)
        result, imported = judged(path, model, format, given, independent=independent)
        if as_json:
            say_json(_printed(result))
        else:
            _show(result)
        if html is not None:
            from chaosday.reporting.anomaly_timeline import page

            write_output(next(written) or html, page(imported.history, result))
        return EXIT[result["valid?"]]

    raise SystemExit(each_of(files, answer, shown=str, unread=_unread if as_json else None))


def _unread(path: Path, words: str) -> dict[str, Any]:
    """The result map of a file that could not be judged."""
    empty: dict[str, Any] = {"valid?": None, "anomaly-types": [], "not": [], "examined": 0}
    return {"file": str(path), **empty, "reason": words, "error": words}


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
    return name.removesuffix("?").replace("-", "_")


def _printed(result: ResultMap) -> dict[str, Any]:
    first = {name: result.get(name) for name in _PRINTED}
    cases = {name: cases[:_CASES_PRINTED] for name, cases in result.get("anomalies", {}).items()}
    return {**first, **{name: value for name, value in result.items() if name not in first}, "anomalies": cases}


def _show(result: ResultMap) -> None:
    if not result["anomaly-types"] and not sys.stdout.isatty():
        # There is neither a colour nor a table to draw, and what draws them takes longer than a small history.
        words = "valid" if result["valid?"] is True else result["valid?"]
        say(f"{result['file']} as {result['model']}: {words}, {result['examined']} operations examined")
        for note in filter(None, (result["reason"], *result.get("notes", ()))):
            say(note)
        return
    from rich.table import Table

    screen = console()
    word = {True: ("valid", "green"), False: ("invalid", "red"), "unknown": ("unknown", "yellow")}[result["valid?"]]
    examined = f", {result['examined']} operations examined"
    screen.print(plain(f"{result['file']} as {result['model']}: ", word, examined))
    if result["reason"]:
        screen.print(plain(result["reason"]))
    for note in result.get("notes", ()):
        screen.print(plain(note, style="dim"))
    if not result["anomaly-types"]:
        return
    table = Table(*columns("anomaly", "times", "first seen"))
    for name in result["anomaly-types"]:
        cases = result["anomalies"].get(name) or [None]
        count = str(result["anomaly-counts"].get(name, len(cases)))
        table.add_row(plain(name), count, plain(_brief(cases[0])))
    screen.print(table)
    if result["not"]:
        screen.print(plain(f"so it is not {', '.join(result['not'])}"))
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
        screen.print(plain(story))


def _brief(case: Any) -> str:
    if not isinstance(case, dict):
        return str(case)
    kept = {name: value for name, value in case.items() if name not in ("story", "steps", "type")}
    return ", ".join(f"{name} {value}" for name, value in kept.items())[:160]
