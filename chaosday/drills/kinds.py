"""The kinds of run there are, found by looking, and which of them a file holds."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
from functools import cache
from importlib.abc import InspectLoader
from pathlib import Path
from typing import Any

from chaosday.errors import InvalidExperiment, UnknownName, UsageError
from chaosday.model.document import of_known_format, read_mapping
from chaosday.model.experiment import validated
from chaosday.running.kind import Kind

EXPERIMENT = "experiment"


@cache
def kinds() -> dict[str, type[Kind]]:
    """Every kind by what files call it, sorted.

    A new one is a module ``chaosday/drills/NAME_kind.py``, or ``kind.py`` in a folder of its own.
    """
    return dict(sorted((kind, found) for name in _modules() for kind, found in _kinds_in(name).items()))


@cache
def kind_called(name: str) -> type[Kind]:
    """The kind that files call ``name``, or ``UnknownName`` with those there are; others are not imported for it."""
    for module in _modules():
        spec = importlib.util.find_spec(module)
        if spec is not None and isinstance(spec.loader, InspectLoader):
            stands = f'kind = "{name}"' in (spec.loader.get_source(module) or "")
            if stands and name in (found := _kinds_in(module)):
                return found[name]
    if name not in kinds():
        near = difflib.get_close_matches(name, kinds(), 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise UnknownName(f"kind: there is no kind of run called {name!r}; there are {', '.join(kinds())}{meant}")
    return kinds()[name]


def _modules() -> list[str]:
    package = importlib.import_module("chaosday.drills")
    names = [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [name for name in names if name.endswith((".kind", "_kind"))]


def _kinds_in(name: str) -> dict[str, type[Kind]]:
    classes = inspect.getmembers(importlib.import_module(name), inspect.isclass)
    return {item.kind: item for _, item in classes if item.__module__ == name and issubclass(item, Kind)}


def load_run(path: Path) -> Kind:
    """The run in a YAML or JSON file; ``InvalidExperiment`` or ``UnknownName`` name the field at fault."""
    try:
        return parse_run(read_mapping(path))
    except UsageError as error:
        words = str(error)
        raise type(error)(words if words.startswith(f"{path}: ") else f"{path}: {words}") from None


def parse_run(data: dict[str, Any]) -> Kind:
    """A run of the kind that its data say or show, through the strict door: an unknown field is an error."""
    fields = of_known_format(data)
    found = kind_called(_named(fields))
    fields.pop("kind", None)
    return found(validated(found.value_type, fields))


def _named(data: dict[str, Any]) -> str:
    """What a file says of itself: ``kind``, else ``drill: restore``, else the field ``gameday``, else an experiment.

    The older two words stay in files that have them; where both are there, they have to agree.
    """
    older = data.get("drill") or ("gameday" if "gameday" in data else "")
    said = data.get("kind") or older or EXPERIMENT
    if older and said != older:
        raise InvalidExperiment(f"kind: it says {said!r}, and the rest of the file is a {older}")
    return str(said)
