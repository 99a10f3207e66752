"""``python -m scripts.site FOLDER``: the documentation as a site to search, a page for each member of the registry.

The pages under ``docs/`` are taken as they are. What the registry knows of a member (what it needs, what is measured,
where its source is, an example) is written from it. The site names no other host: fonts are the reader's own.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import BaseModel

from chaosday.commands.catalogue import summary
from chaosday.model.check import Check
from chaosday.model.corruption import Corruption
from chaosday.model.fault import Fault
from chaosday.registry import FAMILIES, members
from scripts.reference import fields_of

ROOT = Path(__file__).resolve().parent.parent
PLACES = {"faults": "faults: [{fault: %s}]", "targets": "targets: {name: %s}", "probes": "steady_state: [%s]"}
EXAMPLE_FIELDS = 3
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_CONFIG: dict[str, Any] = {
    "site_name": "chaosday",
    "theme": {"name": "material", "font": False, "features": ["navigation.indexes", "search.highlight"]},
    "plugins": ["search"],
    "markdown_extensions": ["tables", "attr_list", "pymdownx.superfences", {"toc": {"permalink": True}}],
    "use_directory_urls": False,
}


def build(folder: Path) -> None:
    """Write the site into ``folder``; what MkDocs finds wrong ends it with what it said."""
    with tempfile.TemporaryDirectory(prefix="chaosday-site-") as name:
        pages, config = Path(name, "docs"), Path(name, "mkdocs.yml")
        stage(pages)
        config.write_text(yaml.safe_dump(_CONFIG | {"docs_dir": str(pages), "site_dir": str(folder.resolve())}))
        command = [sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "-f", str(config)]
        subprocess.run(command, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=True)


def stage(pages: Path) -> None:
    """The pages as Markdown: those of docs/, their links out of it as plain words, and one for each member."""
    shutil.copytree(ROOT / "docs", pages)
    (pages / "README.md").rename(pages / "index.md")
    for page in sorted(pages.rglob("*.md")):
        was = ROOT / "docs" / page.relative_to(pages)
        page.write_text(_within(page.read_text(), was.parent))
    listed = ["# Everything there is, a page each\n"]
    for family in FAMILIES:
        folder = pages / "members" / family
        folder.mkdir(parents=True)
        listed.append(f"\n## {family}\n")
        for kind, model in members(family).items():
            (folder / f"{kind}.md").write_text(member_page(family, kind, model))
            listed.append(f"* [{kind}]({family}/{kind}.md): {summary(model)}")
    (pages / "members" / "index.md").write_text("\n".join(listed) + "\n")
    with (pages / "index.md").open("a") as index:
        index.write("\nEvery fault, check and corruption has [a page of its own](members/index.md).\n")


def _within(text: str, folder: Path) -> str:
    """A page whose links to files of the repository outside docs/ are words: the site does not hold those."""

    def plain(found: re.Match[str]) -> str:
        _, words, link = found.groups()
        parts = urlsplit(link)
        if parts.scheme or not parts.path:
            return found[0]
        place = (folder / unquote(parts.path)).resolve()
        if not place.is_relative_to(ROOT / "docs"):
            return f"{words} (`{place.relative_to(ROOT)}`)" if place.exists() else found[0]
        if place == ROOT / "docs" / "README.md":
            return found[0].replace("README.md", "index.md")
        return found[0].replace(parts.path, f"{parts.path.rstrip('/')}/README.md") if place.is_dir() else found[0]

    return _LINK.sub(plain, text)


def member_page(family: str, kind: str, model: type[BaseModel]) -> str:
    """A member's page: what it is, what it needs, what is measured of it, its fields, an example, its source."""
    said = inspect.cleandoc(model.__doc__ or summary(model)).replace("``", "`")
    parts = [f"# {kind}", f"*{family[:-1]}*", said]
    parts += [f"**{title}.** {words}" for title, words in _facts(model) if words]
    if table := fields_of(model):
        parts.append("## Fields\n\n" + table)
    source = Path(inspect.getfile(model))
    shown = source.relative_to(ROOT) if source.is_relative_to(ROOT) else source.name
    parts += [f"## Example\n\n```yaml\n{example(family, kind, model)}\n```", f"Source: `{shown}`"]
    return "\n\n".join(parts) + "\n"


def _facts(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    if issubclass(model, Fault):
        yield "Needs a target that offers", ", ".join(f"`{each.__name__}`" for each in model.requires)
        yield "What is measured", _first(model.attest) or _first(model.look)
        yield "Undo", "none: it is irreversible" if model.irreversible else _first(model.heal)
    elif issubclass(model, Check):
        yield "Needs", ", ".join(f"`{each}`" for each in model.needs)
        yield "Blind to", "; ".join(model.blind_to)
    elif issubclass(model, Corruption):
        yield "Damages", ", ".join(f"`{each}`" for each in model.stores)
        yield "Promised to be caught", "yes" if model.promised else "no"


def _first(method: Any) -> str:
    words = inspect.getdoc(method) or ""
    return " ".join(words.split("\n\n")[0].split()).replace("``", "`")


def example(family: str, kind: str, model: type[BaseModel]) -> str:
    """How it stands in an experiment file; what is shown of it are defaults, which every field has."""
    given = model.model_validate({}).model_dump(mode="json")
    shown = {n: v for n, v in given.items() if n != "kind" and isinstance(v, (int, float, str)) and v != ""}
    # What makes the member itself comes before what it has from its family.
    own = sorted(shown, key=lambda name: name not in model.__annotations__)
    fields = {"kind": kind} | {name: shown[name] for name in own[:EXAMPLE_FIELDS]}
    line = yaml.safe_dump(fields, default_flow_style=True, sort_keys=False, width=10_000).strip()
    return PLACES.get(family, f"{family}: [%s]") % line


class _Page(HTMLParser):
    """The links of a page and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what it names and what it leads to."""
        named = dict(attrs)
        self.places |= {each for each in (named.get("id"), named.get("name")) if each}
        self.links += [each for each in (named.get("href"), named.get("src")) if each and tag != "base"]


def broken(site: Path) -> list[str]:
    """Links of a built site that lead nowhere in it, or, in their scripts and styles, to another host."""
    pages = {page.resolve(): _Page(page.read_text()) for page in site.rglob("*.html")}
    wrong = []
    for page, read in pages.items():
        for link in read.links:
            parts = urlsplit(link)
            # The page for what is not found is served from anywhere, so that its links begin at the root.
            if parts.scheme or parts.netloc or page.name == "404.html":
                continue
            place = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            place = place / "index.html" if place.is_dir() else place
            there = place.is_file() and (place not in pages or not parts.fragment or _has(pages[place], parts.fragment))
            if not there:
                wrong.append(f"{page.relative_to(site.resolve())}: {link}")
    return wrong


def _has(page: _Page, fragment: str) -> bool:
    return fragment.startswith("__") or unquote(fragment) in page.places


def main() -> None:
    """Build it, and say which links are broken; the exit code is 1 where any is."""
    if len(sys.argv) != 2:
        sys.exit("say where to: python -m scripts.site FOLDER")
    folder = Path(sys.argv[1])
    build(folder)
    wrong = broken(folder)
    print("\n".join(wrong) or f"{folder / 'index.html'}: no link is broken")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
