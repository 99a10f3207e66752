"""The families and their members, found by looking: a new member is one file in the family's folder.

Everything that lists members (JSON schema, Prefect form, ``chaosday catalogue``, docs, conformance
tests) asks here, so that a new file appears everywhere unasked.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
from functools import cache
from importlib.abc import InspectLoader

from pydantic import BaseModel

from chaosday.errors import UnknownName

FAMILIES = ("faults", "targets", "workloads", "probes", "checks", "corruptions", "actions")


@cache
def members(family: str) -> dict[str, type[BaseModel]]:
    """Every public member of a family by its ``kind``, sorted by name."""
    if family not in FAMILIES:
        raise UnknownName(f"no family {family!r}; there are {', '.join(FAMILIES)}")
    found: dict[str, type[BaseModel]] = {}
    for name in _modules(family):
        found |= _members_in(name)
    return dict(sorted(found.items()))


def member(family: str, kind: str) -> type[BaseModel]:
    """The member called ``kind``, or ``UnknownName`` with the nearest names."""
    if kind in (named := _members_naming(family, kind)):
        return named[kind]
    known = members(family)
    if kind not in known:
        near = difflib.get_close_matches(kind, known, 3) or sorted(known)
        raise UnknownName(f"no {family[:-1]} called {kind!r}; did you mean {', '.join(near)}?")
    return known[kind]


@cache
def _members_naming(family: str, kind: str) -> dict[str, type[BaseModel]]:
    """Members of the modules in whose text the kind stands as such: importing a hundred others takes seconds."""
    wanted, found = f'Literal["{kind}"]', dict[str, type[BaseModel]]()
    for name in _modules(family) if family in FAMILIES else ():
        spec = importlib.util.find_spec(name)
        if (
            spec is not None
            and isinstance(spec.loader, InspectLoader)
            and wanted in (spec.loader.get_source(name) or "")
        ):
            found |= _members_in(name)
    return found


@cache
def _modules(family: str) -> tuple[str, ...]:
    package = importlib.import_module(f"chaosday.{family}")
    return tuple(info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))


def _members_in(name: str) -> dict[str, type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {}
    for _, item in inspect.getmembers(importlib.import_module(name), inspect.isclass):
        if item.__module__ == name and issubclass(item, BaseModel) and (kind := kind_of(item)):
            found[kind] = item
    return found


def kind_of(model: type[BaseModel]) -> str | None:
    """The ``kind`` a model carries as its default, or None for an abstract one."""
    if inspect.isabstract(model) or "kind" not in model.model_fields:
        return None
    default = model.model_fields["kind"].default
    return default if isinstance(default, str) else None
