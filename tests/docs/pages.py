"""The pages of the documentation, their commands and their code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\./run|chaosday|python -m) [^`]+)`")


@dataclass(frozen=True)
class Command:
    """One command line of a page."""

    page: Path
    line: str


def pages() -> list[Path]:
    """README, CONTRIBUTING and everything under docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return [text for name, text in FENCE.findall(page.read_text()) if name == language]


def commands(page: Path) -> list[Command]:
    """Every command of the page's ``sh`` blocks, without comments."""
    lines = [line.split("  #")[0].rstrip() for block in blocks(page, "sh") for line in block.splitlines()]
    return [Command(page, line) for line in lines if line and not line.startswith("#")]


def inline_commands() -> Iterator[Command]:
    """Commands that are named in the middle of a sentence."""
    for page in pages():
        for line in INLINE.findall(FENCE.sub("", page.read_text())):
            yield Command(page, " ".join(line.split()))
