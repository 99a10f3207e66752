"""What every value of the kernel has in common."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from chaosday.model.meanings import meanings


class Model(BaseModel):
    """A frozen value whose fields are its JSON.

    There are two doors to one model: experiment files are validated with ``extra="forbid"`` (a
    misspelt field is a mistake worth hearing about), while the Prefect form re-submits the fields
    of the tab that was open before, so that a member of a union has to ignore what it does not know.

    What its fields are for is said in the strings below them, and stands in its JSON schema. It is read from the source
    when a schema is asked for: pydantic's own way (``use_attribute_docstrings``) does it for each of 400 models as they
    are imported, which is a third of the time that takes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties: dict[str, Any] = handler.resolve_ref_schema(schema).get("properties", {})
        for name, words in meanings(cls).items():
            for shown in (properties[each] for each in _spellings(name, cls.model_fields[name]) if each in properties):
                shown.setdefault("description", words)
        return schema


def _spellings(name: str, field: FieldInfo) -> set[str]:
    """The names under which a field may stand in a schema."""
    other = field.validation_alias
    aliases = other.choices if isinstance(other, AliasChoices) else [other]
    return {each for each in (name, field.alias, *aliases) if isinstance(each, str)}
