"""What plain data say that a model would keep silent about: fields that nobody knows, secrets that stand in clear."""

from __future__ import annotations

import difflib
import types
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr


def unknown_fields(expected: Any, data: Any, where: str = "", *, beside: Collection[str] = ()) -> list[str]:
    """One line for each field of ``data`` that ``expected`` has no place for, with the nearest name that it has.

    ``expected`` is an annotation: a model, a union, a list or a mapping of these; anything else has no fields. A union
    knows what any of its members knows: a form re-submits the fields of the tab that was open before. A value that is
    a model already holds nothing unknown, and a reference (``$ref``) is looked up by others. Names in ``beside`` are
    let through anywhere.
    """
    if isinstance(data, Mapping):
        if "$ref" in data:
            return []
        if models := [each for each in _members(expected) if isinstance(each, type) and issubclass(each, BaseModel)]:
            return _of_models(models, data, where, beside)
    lines = []
    for item, name, value in _items(expected, data):
        lines += unknown_fields(item, value, _at(where, name), beside=beside)
    return lines


def secrets_in_clear(expected: Any, data: Any, where: str = "") -> list[str]:
    """The place of each text in ``data`` that ``expected`` takes for a secret (``SecretStr``), at any depth.

    A member of a union that is not meant counts too: what a form re-submits of another tab is written down as well. An
    empty text is none, and neither is what a model holds already.
    """
    if isinstance(data, str):
        return [where] if data and SecretStr in _members(expected) else []
    found = []
    if isinstance(data, Mapping):
        models = [each for each in _members(expected) if isinstance(each, type) and issubclass(each, BaseModel)]
        for model in models:
            for name, annotation in _fields(model).items():
                found += secrets_in_clear(annotation, data.get(name), _at(where, name))
    for item, name, value in _items(expected, data):
        found += secrets_in_clear(item, value, _at(where, name))
    return list(dict.fromkeys(found))


def _of_models(
    models: list[type[BaseModel]], data: Mapping[str, Any], where: str, beside: Collection[str]
) -> list[str]:
    known = {name for model in models for name in _fields(model)}
    # What a field holds is asked of the member that is meant, where the data say which.
    meant = [model for model in models if "kind" in data and _kind(model) == data["kind"]] or models
    own = {name: annotation for model in meant for name, annotation in _fields(model).items()}
    lines = []
    for name, value in data.items():
        if name in own:
            lines += unknown_fields(own[name], value, _at(where, name), beside=beside)
        elif name not in known and name not in beside:
            near = difflib.get_close_matches(str(name), own, 1)
            lines.append(f"{_at(where, name)}: there is no such field" + (f"; did you mean {near[0]}?" if near else ""))
    return lines


def _items(expected: Any, data: Any) -> Iterable[tuple[Any, Any, Any]]:
    """What each item of a list or a mapping is expected to be, its place, and itself."""
    for each in _members(expected):
        inner = get_args(each)
        if get_origin(each) is dict and isinstance(data, Mapping):
            return [(inner[1], name, value) for name, value in data.items()]
        if get_origin(each) in (list, tuple) and isinstance(data, list | tuple):
            return [(inner[0], number, value) for number, value in enumerate(data)]
    return []


def _members(expected: Any) -> list[Any]:
    """The members of a union, unions within it taken apart; of anything else, itself."""
    if get_origin(expected) is Annotated:
        return _members(get_args(expected)[0])
    if get_origin(expected) in (Union, types.UnionType):
        return [each for member in get_args(expected) for each in _members(member)]
    return [expected]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _kind(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    return field.default if field is not None else None


def _at(where: str, name: Any) -> str:
    return f"{where}.{name}" if where else str(name)
