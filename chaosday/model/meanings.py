"""What a model's fields are for: the strings below them in its source, read when somebody asks."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache

from pydantic import BaseModel


@cache
def meanings(model: type[BaseModel]) -> Mapping[str, str]:
    """The words of each field that has some, by its name: its own description, else the string below it.

    A model's own strings come before those of what it is derived from.
    """
    below: dict[str, str] = {}
    for each in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        below |= _in_file(each.__module__).get(each.__qualname__, {})
    said = {name: field.description or below.get(name, "") for name, field in model.model_fields.items()}
    return {name: words for name, words in said.items() if words}


@cache
def _in_file(module: str) -> dict[str, dict[str, str]]:
    """The same of every class in a module, by its qualified name; nothing where its source is not there."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError):
        return {}
    return dict(_classes(tree, ""))


def _classes(tree: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            yield f"{prefix}{each.name}", _fields(each)
            yield from _classes(each, f"{prefix}{each.name}.")


def _fields(definition: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, words in zip(definition.body, definition.body[1:], strict=False):
        match field, words:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = inspect.cleandoc(said)
    return found
