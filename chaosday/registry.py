"""The families and their members, found by looking: a new member is one file in the family's folder.

Everything that lists members (JSON schema, Prefect form, ``chaosday catalogue``, docs, conformance
tests) asks here, so that a new file appears everywhere unasked.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from functools import cache
from importlib.abc import InspectLoader
from typing import TYPE_CHECKING, Any

from chaosday.errors import UnknownName

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from pydantic import BaseModel

FAMILIES = ("faults", "targets", "workloads", "probes", "checks", "corruptions", "actions")
PLUGINS_RAISE = (
    ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError, LookupError, OSError, RuntimeError,
    ArithmeticError, AssertionError,
)  # fmt: skip
"""What a plugin's module may raise as it is imported: it must not take the others down."""
_KIND = re.compile(r'^    kind: Literal\["([^"]+)"\]', re.MULTILINE)


@cache
def members(family: str) -> dict[str, type[BaseModel]]:
    """Every public member of a family by its ``kind``, sorted by name."""
    if family not in FAMILIES:
        raise UnknownName(f"no family {family!r}; there are {', '.join(FAMILIES)}")
    found: dict[str, type[BaseModel]] = {}
    for name in _modules(family):
        # Ours win, and who comes first: what a file means must not change with what is installed beside it.
        found = _members_in(name) | found
    return dict(sorted(found.items()))


def member(family: str, kind: str) -> type[BaseModel]:
    """The member called ``kind``, or ``UnknownName`` with the nearest names; no other is imported for it."""
    for name in kinds_of(family).get(kind, ()):
        if kind in (found := _members_in(name)):
            return found[kind]
    known = members(family)
    if kind not in known:
        import difflib

        near = difflib.get_close_matches(kind, known, 3) or sorted(known)
        broken = "".join(f"; {words}" for words in broken_plugins().values())
        raise UnknownName(f"no {family[:-1]} called {kind!r}; did you mean {', '.join(near)}?{broken}")
    return known[kind]


@cache
def kinds_of(family: str) -> dict[str, tuple[str, ...]]:
    """Every kind of a family, sorted, with the modules in whose text it stands as such: importing all takes seconds.
    Those of plugins, which write as they like, are imported."""
    if family not in FAMILIES:
        raise UnknownName(f"no family {family!r}; there are {', '.join(FAMILIES)}")
    found: dict[str, tuple[str, ...]] = {}
    for name in _modules(family):
        if name in _plugged(family):
            found |= {kind: (*found.get(kind, ()), name) for kind in _members_in(name)}
            continue
        spec = importlib.util.find_spec(name)
        source = spec.loader.get_source(name) if spec is not None and isinstance(spec.loader, InspectLoader) else None
        if source is None:  # compiled, and nothing else: then they have to be asked themselves
            return {kind: (model.__module__,) for kind, model in members(family).items()}
        for kind in _KIND.findall(source):
            found[kind] = (*found.get(kind, ()), name)
    return dict(sorted(found.items()))


@cache
def _modules(family: str) -> tuple[str, ...]:
    package = importlib.import_module(f"chaosday.{family}")
    own = [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return (*own, *(name for name in _plugged(family) if name not in broken_plugins()))


@cache
def _plugged(family: str) -> dict[str, str]:
    """Modules that installed packages name under the entry point ``chaosday.FAMILY``, with who does."""
    points = entry_points(f"chaosday.{family}")
    return {each.value.partition(":")[0]: each.dist.name if each.dist else "a package" for each in points}


def entry_points(group: str) -> EntryPoints:
    """What installed packages name under a group; all of them are read once, which takes longer than anything here."""
    found: EntryPoints = _entry_points().select(group=group)
    return found


@cache
def _entry_points() -> Any:
    from importlib.metadata import entry_points as installed

    return installed()


@cache
def broken_plugins() -> dict[str, str]:
    """Modules of plugins that cannot be imported, each with why in a line; their members are not there."""
    found: dict[str, str] = {}
    for family in FAMILIES:
        for name, package in _plugged(family).items():
            try:
                importlib.import_module(name)
            except PLUGINS_RAISE as error:
                why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                found[name] = f"the plugin {package} ({name}) cannot be imported and is left out: {why}"
    return found


def clashes() -> list[str]:
    """What plugins call by the name of another member, each in a line: it is not theirs that is taken."""
    return [
        f"the plugin {_plugged(family)[name]} ({name}) has a {family[:-1]} {kind}, as {names[0]} has: "
        "its own is left out"
        for family in FAMILIES
        for kind, names in kinds_of(family).items()
        for name in names[1:]
        if name in _plugged(family)
    ]


@cache
def _members_in(name: str) -> dict[str, type[BaseModel]]:
    from pydantic import BaseModel

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
