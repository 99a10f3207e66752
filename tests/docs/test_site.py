"""The documentation as a site: a page for each member, an example that can be taken as it stands, no broken link."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chaosday.registry import FAMILIES, members
from scripts import site


def test_the_example_of_every_member_is_one() -> None:
    """It stands in its page, and read back it is that member with its defaults."""
    for family in FAMILIES:
        for kind, model in members(family).items():
            written = site.example(family, kind, model)
            assert written in site.member_page(family, kind, model)
            found = next(iter(yaml.safe_load(written).values()))
            found = next(iter(found.values())) if isinstance(found, dict) else found[0]
            found = found["fault"] if family == "faults" else found
            assert model.model_validate(found, extra="forbid") == model.model_validate({}), kind


def test_a_page_says_what_the_registry_knows() -> None:
    """What a fault needs, what is measured, its fields and where its source is."""
    page = site.member_page("faults", "network.proxy.latency", members("faults")["network.proxy.latency"])
    assert "delay_ms: 100" in page.split("## Example")[1]
    for words in ("`Route`", "What is measured", "| `delay_ms` |", "Source: `chaosday/faults/network/"):
        assert words in page


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("link", "wrong"),
    [("b.html", False), ("b.html#there", False), ("b.html#gone", True), ("c.html", True), ("#here", False),
     ("#away", True), ("folder/", True), ("x.png", True)],
)  # fmt: skip
def test_broken_links_are_found(link: str, wrong: bool, tmp_path: Path) -> None:
    """A page, a place in a page and a picture have to be there."""
    (tmp_path / "a.html").write_text(f'<h1 id="here"><a href="{link}">to</a></h1>')
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1>')
    assert site.broken(tmp_path) == ([f"a.html: {link}"] if wrong else [])


@pytest.mark.slow
def test_the_site_is_built_without_a_broken_link(tmp_path: Path) -> None:
    """MkDocs warns of nothing, and every link of every page leads somewhere."""
    site.build(tmp_path / "site")
    assert site.broken(tmp_path / "site") == []
    assert (tmp_path / "site" / "search" / "search_index.json").is_file()
