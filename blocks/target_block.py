"""What the blocks of targets have in common: the kernel's noun, and a check in words."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from prefect.blocks.core import Block
from pydantic import GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from chaosday.errors import ChaosdayError, InvalidExperiment
from chaosday.model.experiment import in_words
from chaosday.model.target import Target
from chaosday.model.unknown_fields import unknown_fields

EVIDENCE_URL = "CHAOSDAY_EVIDENCE_URL"
OF_PREFECT = frozenset({"block_type_slug", "_block_document_id", "_block_document_name", "_is_anonymous"})
"""What comes with a block's own fields."""


def page(path: str) -> Any:
    """The address of a page of the documentation, where something serves it (``chaosday serve`` does)."""
    base = os.environ.get(EVIDENCE_URL, "")
    return f"{base.rstrip('/')}/docs/{path}" if base else None


class FormBlock(Block):
    """A block that can be chosen in a form.

    Prefect's server accepts a parameter that is either a reference to a block or the block's own fields, and not
    both. Where every field has a default a reference is both, and every run from the form would be refused; so the
    schema says of one field that it is required: the first that comes filled in.
    """

    _logo_url = page("pictures/logo.svg")

    @model_validator(mode="before")
    @classmethod
    def _no_strangers(cls, data: Any) -> Any:
        """Prefect's blocks take any field and forget it: a misspelt limit would be no limit."""
        if lines := unknown_fields(cls, data, beside=OF_PREFECT):
            raise ValueError("; ".join(lines))
        return data

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        properties = schema.get("properties", {})
        filled = [name for name, field in properties.items() if field.get("default")]
        schema.setdefault("required", (filled or list(properties))[:1])
        return schema


class TargetBlock(FormBlock):
    """Fields of a target that people fill in; those that it shares with the kernel's noun are handed over."""

    _model: ClassVar[type[Target]]
    _documentation_url = page("blocks.md")

    def target(self, **more: Any) -> Any:
        """The kernel's noun for it; ``more`` are fields that the block has not (``via``)."""
        shared = [name for name in type(self).model_fields if name in self._model.model_fields]
        given = {name: value for name in shared if (value := getattr(self, name)) is not None}
        try:
            return self._model.model_validate({**given, **more})
        except ValidationError as error:
            raise InvalidExperiment(f"the block is wrong: {in_words(error)}") from None

    def check(self) -> str:
        """In words: whether it can be reached, and whether experiments may touch it."""
        try:
            target = self.target()
            try:
                return f"{target.reach()}; {self.may_touch(target)}"
            finally:
                target.close()
        except ChaosdayError as error:
            return f"cannot be used: {error}"

    def may_touch(self, target: Any) -> str:
        """What stands in the way of an experiment on a target that was reached, or ``ready``."""
        return "ready"
