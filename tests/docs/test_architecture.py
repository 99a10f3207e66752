"""The page on the house says what is there: every room, every path, and a picture of today's imports."""

from __future__ import annotations

import re

import pytest

from scripts import architecture
from tests.docs.pages import ROOT

pytestmark = pytest.mark.kernel


def test_the_page_and_its_picture_are_current() -> None:
    """They are what the code says now; where not: python -m scripts.architecture."""
    assert architecture.PAGE.read_text() == architecture.page(), "python -m scripts.architecture"
    assert architecture.PICTURE.read_text() == architecture.picture(), "python -m scripts.architecture"


def test_every_room_is_on_the_page() -> None:
    """A room that is on disk is on the page, whether a contract names it or not."""
    page = architecture.PAGE.read_text()
    rooms = {init.parent.name for init in (ROOT / "chaosday").glob("*/__init__.py")} | set(architecture.RIM)
    assert not [room for room in rooms if f"| `{room}` |" not in page]


def test_every_path_on_the_page_exists() -> None:
    """A name that the page gives is one that a reader can open."""
    named = re.findall(
        r"`((?:chaosday|flows|tasks|blocks|tests|docs|deployments)/[^`<]*)", architecture.PAGE.read_text()
    )
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / path).exists()]
