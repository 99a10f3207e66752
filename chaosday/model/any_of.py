"""One of a family's members, told apart by ``kind``: a member is imported when the data name it.

There are three hundred members, and importing them takes two seconds; an experiment names a dozen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from chaosday.registry import kinds_of, member, members

UNKNOWN_FIELD = {"no such field": None}


def any_of(family: str) -> Any:
    """The union over a family, told apart by ``kind``: a new member is in it unasked."""
    return Annotated[Any, OneOf(family)]


@dataclass(frozen=True)
class OneOf:
    """What makes an annotation one of a family's members; pydantic asks it how to read and how to describe them."""

    family: str

    def members(self) -> list[type[BaseModel]]:
        """Every member that may be meant; all of them are imported for it."""
        return list(members(self.family).values())

    def called(self, kind: Any) -> type[BaseModel] | None:
        """The member of that kind, where there is one."""
        return member(self.family, kind) if isinstance(kind, str) and kind in kinds_of(self.family) else None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # A wrapped schema is asked as the whole validation is: it knows whether unknown fields are let through.
        door = core_schema.typed_dict_schema({})
        choices: dict[Any, CoreSchema] = {
            kind: core_schema.no_info_wrap_validator_function(self._reader(kind), door)
            for kind in kinds_of(self.family)
        }
        shown = core_schema.simple_ser_schema("any")
        return core_schema.tagged_union_schema(choices, "kind", serialization=shown)

    def _reader(self, kind: str) -> Callable[[Any, core_schema.ValidatorFunctionWrapHandler], BaseModel]:
        def read(value: Any, door: core_schema.ValidatorFunctionWrapHandler) -> BaseModel:
            return member(self.family, kind).model_validate(value, extra=_unknown_fields_at(door))

        return read

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(_whole(self.family))


def _unknown_fields_at(door: core_schema.ValidatorFunctionWrapHandler) -> Literal["forbid"] | None:
    try:
        door(UNKNOWN_FIELD)
    except ValidationError:
        return "forbid"
    return None


@cache
def _whole(family: str) -> CoreSchema:
    """The union with every member in it, as forms and schemas show it."""
    union: Any = Annotated[reduce(or_, members(family).values()), Field(discriminator="kind")]
    return TypeAdapter[Any](union).core_schema


def families_in(annotation: Any) -> list[OneOf]:
    """The families that an ``Annotated`` stands for."""
    return [each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, OneOf)]


def meant(families: list[OneOf], data: Mapping[Any, Any]) -> list[type[BaseModel]]:
    """The members that the data name; all of them where they name none."""
    found = [model for each in families if (model := each.called(data.get("kind")))]
    return found or [model for each in families for model in each.members()]
