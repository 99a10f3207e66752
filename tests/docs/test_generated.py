"""Pages that are made from the registry are up to date, and no link leads nowhere."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import blocks
from scripts import backends, findings, reference
from tests.docs.pages import ROOT, pages


@pytest.mark.parametrize("module", [backends, findings, reference], ids=lambda module: module.__name__)
def test_generated_pages_are_current(module: ModuleType) -> None:
    """They are what the registry says now; where not: python -m scripts.NAME."""
    assert module.PAGE.read_text() == module.page(), f"python -m {module.__name__}"


def test_every_block_is_described() -> None:
    """docs/blocks.md, to which each block links, has a row for every block."""
    described = (ROOT / "docs" / "blocks.md").read_text()
    assert not [name for name in blocks.__all__ if f"`{name}`" not in described]


@pytest.mark.kernel
def test_no_link_leads_nowhere() -> None:
    """Every relative link of every page is a file of the repository."""
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages()
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if not link.startswith(("http://", "https://")) and not (page.parent / link).exists()
    ]
    assert not broken
