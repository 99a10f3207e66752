"""``python -m scripts.reference``: writes docs/reference.md, every member of every family with its fields."""

from __future__ import annotations

import inspect
import json
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from chaosday.commands.catalogue import summary
from chaosday.model.base import Model
from chaosday.model.meanings import meanings
from chaosday.registry import FAMILIES, members

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
HEAD = """# Reference: everything there is to compose an experiment of

Made from the registry by `python -m scripts.reference`. `chaosday catalogue NAME` shows one of these in the terminal,
`chaosday catalogue --json` all of them as JSON schemas. Every field has a default; units stand in the names of fields.

"""
UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_us": "microseconds",
    "_ns": "nanoseconds",
    "_bytes": "bytes",
    "_mib": "MiB",
    "_per_s": "per second",
    "_percent": "percent",
    "percent": "percent",
    "_share": "share, 0 to 1",
    "_kib": "KiB",
    "_kbit": "kbit",
}
BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def page() -> str:
    """The whole page."""
    counts = ", ".join(f"{len(members(family))} [{family}](#{family})" for family in FAMILIES)
    return HEAD + counts + ".\n" + "".join(_family(family) for family in FAMILIES)


def _family(family: str) -> str:
    return f"\n## {family}\n" + "".join(_member(kind, model) for kind, model in members(family).items())


def _member(kind: str, model: type[BaseModel]) -> str:
    table = fields_of(model)
    return f"\n### `{kind}`\n\n{summary(model)}.\n" + (f"\n{table}\n" if table else "")


def fields_of(model: type[BaseModel]) -> str:
    """The fields of a member as a table; empty where it has none."""
    fields = {name: field for name, field in model.model_fields.items() if name != "kind"}
    rows = [_field(name, field, meanings(model).get(name, "")) for name, field in fields.items()]
    return "\n".join(["| field | type | unit | default | meaning |", "|---|---|---|---|---|", *rows]) if rows else ""


def _field(name: str, field: FieldInfo, words: str) -> str:
    meaning = " ".join((words or field.title or "").split())
    kind = ", ".join([_type(field.annotation), *_bounds(field)])
    return "| " + " | ".join(_cell(each) for each in (f"`{name}`", kind, unit(name), _default(field), meaning)) + " |"


def unit(name: str) -> str:
    """The unit that a field's name ends in; the longest ending wins (``bytes_per_s`` is no seconds)."""
    fitting = [ending for ending in UNITS if name.endswith(ending)]
    return UNITS[max(fitting, key=len)] if fitting else ""


def _bounds(field: FieldInfo) -> list[str]:
    return [
        f"{sign} {getattr(each, name):g}"
        for each in field.metadata
        for name, sign in BOUNDS.items()
        if isinstance(getattr(each, name, None), (int, float))
    ]


def _type(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return " or ".join(f"`{each}`" for each in inner)
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join("nothing" if each is type(None) else _type(each) for each in inner)
    if origin is not None:
        return f"{origin.__name__} of {', '.join(_type(each) for each in inner if each is not Ellipsis)}"
    return str(getattr(kind, "__name__", kind))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr):
        return "(a secret)"
    if isinstance(value, Model):
        value = value.model_dump(mode="json")
    return f"`{json.dumps(value, default=_plain)}`"


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump(mode="json")
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


def _cell(text: str) -> str:
    return inspect.cleandoc(text).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page())
