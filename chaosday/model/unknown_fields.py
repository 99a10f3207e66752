"""What plain data say that a model would keep silent about: fields that nobody knows, secrets that stand in clear."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from chaosday.model.any_of import OneOf, families_in, meant


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
        if models := _models(expected, data):
            return _of_models(models, data, where, beside, lambda: _models(expected, {}))
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
        for model in _models(expected, {}):
            for name, annotation in _fields(model).items():
                found += secrets_in_clear(annotation, data.get(name), _at(where, name))
    for item, name, value in _items(expected, data):
        found += secrets_in_clear(item, value, _at(where, name))
    return list(dict.fromkeys(found))


def _models(expected: Any, data: Mapping[str, Any]) -> list[type[BaseModel]]:
    """The models that may be expected; of a family, where the data name one of its kinds, that one."""
    found: list[type[BaseModel]] = []
    for each in _members(expected):
        if isinstance(each, type) and issubclass(each, BaseModel):
            found.append(each)
        elif families := families_in(each):
            found += meant(families, data)
    return found


def _of_models(
    models: list[type[BaseModel]],
    data: Mapping[str, Any],
    where: str,
    beside: Collection[str],
    all_of_them: Callable[[], list[type[BaseModel]]],
) -> list[str]:
    # What a field holds is asked of the member that is meant, where the data say which.
    chosen = [model for model in models if "kind" in data and _kind(model) == data["kind"]] or models
    own = {name: annotation for model in chosen for name, annotation in _fields(model).items()}
    lines = []
    for name, value in data.items():
        if name in own:
            lines += unknown_fields(own[name], value, _at(where, name), beside=beside)
        elif name not in beside and not any(name in _fields(model) for model in all_of_them()):
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
        if families_in(expected):
            return [expected]
        return _members(get_args(expected)[0])
    if get_origin(expected) in (Union, types.UnionType):
        return [each for member in get_args(expected) for each in _members(member)]
    return [expected]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: _annotation(field) for name, field in model.model_fields.items()}


def _annotation(field: FieldInfo) -> Any:
    """What a field is annotated with; pydantic takes the outermost ``Annotated`` apart."""
    family = next((each for each in field.metadata if isinstance(each, OneOf)), None)
    return field.annotation if family is None else Annotated[field.annotation, family]


def _kind(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    return field.default if field is not None else None


def _at(where: str, name: Any) -> str:
    return f"{where}.{name}" if where else str(name)
