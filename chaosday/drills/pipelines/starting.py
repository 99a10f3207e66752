"""A first file for somebody's pipeline, written from two undisturbed runs of it in copies."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaosday.drills.pipelines.bench import Bench, Ran
from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.drills.pipelines.folders import written
from chaosday.errors import Refused, UsageError
from chaosday.mechanisms.wire.conversation import Gate
from chaosday.model.experiment import validated

_BASE, _FIRST, _SECOND = "origin", "first", "second"
_HEAD = """\
# Written from two undisturbed runs in copies; read it and change what is not so. What would be done: chaosday plan FILE
"""
_NOTES = {
    "folder": "Every run gets a fresh copy of it.",
    "stores": "Copied before anything else; the originals are only read. Passwords: $PGPASSWORD or ~/.pgpass.",
    "state": "Files that the command wrote, and finds again when it runs again; take out what is gone by then.",
    "outputs": "Tables that it wrote to.",
    "ignore": "Columns that differ by themselves between two runs.",
    "days": "One run each; the last one is killed. Give it something new to load: variables, or SQL that arrives.",
    "ways": "What is done to the last run, at each of its points (docs/pipelines); kill and end alone are quicker.",
    "schedule": "What the scheduler does after a run that did not end well.",
}


@dataclass
class Seen:
    """What the two runs showed."""

    outputs: list[str] = field(default_factory=list)
    ignore: dict[str, list[str]] = field(default_factory=dict)
    state: list[str] = field(default_factory=list)


def first_drill(pipeline: str, stores: Sequence[str], folder: Path | None = None) -> PipelineDrill:
    """As much of a drill as a command line says; ``UsageError`` where that is too little.

    A store is an address or file, ``NAME=`` before it where its name is not to be the database's.
    """
    if not stores:
        raise UsageError("name the pipeline's database: --store postgresql://user@host:5432/database")
    named: dict[str, Any] = {}
    for each in stores:
        name, equals, source = each.partition("=")
        if not equals or "/" in name:
            name, source = _name_of(each), each
        named[name] = {"from": source}
    try:
        command = shlex.split(pipeline)
    except ValueError as error:
        raise UsageError(f"--pipeline: {error}") from None
    data: dict[str, Any] = {"title": " ".join(command)[:100], "command": command, "stores": named}
    return validated(PipelineDrill, data | ({"folder": folder} if folder else {}))


def look(bench: Bench, over: Callable[[], bool]) -> Seen:
    """Run the command twice from the same beginning: what it writes, and what differs; ``Refused`` where it fails."""
    seen, value = Seen(), bench.value
    comparator = Comparator(bench.copies, value, bench.scratch)
    bench.keep(_BASE)
    for name in (_FIRST, _SECOND):
        comparator.close()
        bench.restore(_BASE)
        if name == _SECOND:
            bench.let_sequences_go_on()
        _judge(bench.run(Gate(), value.days[0], over=over))
        seen.state = written(bench.work, value.folder)
        bench.keep(name)
    before = {each.output for each in comparator.compare(_BASE, _FIRST)}
    seen.outputs = [name for name in comparator.outputs(_FIRST) if name in before]
    seen.ignore = {output: columns for output, columns in comparator.randomness(_FIRST, _SECOND).items() if columns}
    comparator.close()
    return seen


def text(value: PipelineDrill, seen: Seen) -> str:
    """The file, with a line of words over what needs one."""
    parts: dict[str, Any] = {
        "kind": "pipeline",
        "title": value.title,
        "command": value.command,
        **({"folder": str(value.folder)} if value.folder else {}),
        "stores": {name: {"from": store.source} for name, store in value.stores.items()},
        **({"state": seen.state} if seen.state else {}),
        "outputs": seen.outputs or ["*"],
        **({"ignore": seen.ignore} if seen.ignore else {}),
        "days": [{}, {}],
        "ways": value.ways,
        "schedule": value.schedule.model_dump(mode="json"),
        "budget": value.budget.model_dump(mode="json"),
    }
    lines = [_HEAD]
    for name, part in parts.items():
        lines += [f"# {_NOTES[name]}\n"] if name in _NOTES else []
        # A list of one thing, without its brackets: everything on one line, as people write it.
        line = yaml.safe_dump([part], default_flow_style=True, allow_unicode=True, width=1000).strip()[1:-1]
        lines.append(f"{name}: {line}\n")
    return "".join(lines)


def _judge(ran: Ran) -> None:
    if ran.kept_off:
        raise Refused(
            f"the command was kept off {', '.join(sorted(ran.kept_off))}, which is no copy: let it take its address"
            " from PGHOST and PGPORT, or write the file by hand (docs/pipelines)"
        )
    if not ran.well:
        raise Refused(f"the command fails undisturbed ({ran.words}): {ran.said}")


def _name_of(source: str) -> str:
    # The last part alone: before it may be half a password, where an address is not one.
    place = source.partition("?")[0].rpartition("/")[2] if "://" in source else Path(source).stem
    name = "".join(letter if letter.isalnum() else "_" for letter in place.strip("/")).strip("_")
    return name or "store"
