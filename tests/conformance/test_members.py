"""What every member of every family owes to those that carry it about as a value."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from chaosday.registry import FAMILIES, member, members

MEMBERS = [(family, kind) for family in FAMILIES for kind in members(family)]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_member_is_taken_for_a_mapping(family: str) -> None:
    """What has an attribute ``keys`` is a mapping for ``dict()``, which is how Prefect looks into parameters."""
    for kind, model in members(family).items():
        value = model()
        assert dict(value) == {name: getattr(value, name) for name in model.model_fields}, kind


@pytest.mark.parametrize(("family", "kind"), MEMBERS)
def test_a_member_is_its_json(family: str, kind: str) -> None:
    """Written and read back through the strict door it is the same: every field under the name that it is read by."""
    value: BaseModel = member(family, kind)()
    again = member(family, kind).model_validate(value.model_dump(mode="json"), extra="forbid")
    assert again == value
