"""What a field is for stands in the schema that forms are made of, and is read only when somebody asks."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import Field

from chaosday.model.base import Model
from chaosday.model.meanings import meanings
from chaosday.registry import FAMILIES, members

pytestmark = pytest.mark.kernel


class Dose(Model):
    delay_ms: int = 1
    """How late, in
    milliseconds."""
    named: int = Field(default=1, description="said in the field")
    """Not these."""
    other: int = Field(default=1, alias="from")
    """Under its other name."""
    silent: int = 1


class Larger(Dose):
    delay_ms: int = 2

    class Inner(Model):
        delay_ms: int = 3
        """Of its own."""


def _described(model: type[Model]) -> dict[str, str]:
    return {
        name: field["description"]
        for name, field in model.model_json_schema()["properties"].items()
        if "description" in field
    }


def test_the_words_below_a_field_are_in_the_schema() -> None:
    """Of a child's fields too, unless the field says something itself."""
    said = {"delay_ms": "How late, in\nmilliseconds.", "named": "said in the field", "from": "Under its other name."}
    assert _described(Dose) == _described(Larger) == said
    assert meanings(Larger.Inner) == {"delay_ms": "Of its own."}


def test_members_say_what_their_fields_are_for() -> None:
    """A family whose words were not found would show a form of bare names."""
    for family in FAMILIES:
        assert any(meanings(model) for model in members(family).values()) or family == "corruptions", family


def test_a_model_without_its_source_has_no_words() -> None:
    """As in a program that is given on the command line: no error."""
    program = (
        "from chaosday.model.base import Model\n"
        "class Alone(Model):\n    field: int = 1\n    'words'\n"
        "print(Alone.model_json_schema()['properties']['field'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() and "words" not in done.stdout
