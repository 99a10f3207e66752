"""Pages that are made from the registry are up to date."""

from __future__ import annotations

from scripts.backends import PAGE, page


def test_the_page_of_backends_is_current() -> None:
    """It names every fault of its families; where it does not: python -m scripts.backends."""
    assert PAGE.read_text() == page()
