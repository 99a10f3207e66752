"""axe-core in a page: what stands in the way of people who do not see it, or use no mouse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.machine import absent

if TYPE_CHECKING:
    from playwright.sync_api import Page

PACKAGE = Path(__file__).with_name("package.json")
GRAVE = ("serious", "critical")


@cache
def _source() -> str:
    """The library's text, of exactly the version in package.json; installed once into the user's cache."""
    version = json.loads(PACKAGE.read_text())["dependencies"]["axe-core"]
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chaosday-lab" / f"axe-core-{version}"
    library = cached / "node_modules" / "axe-core" / "axe.min.js"
    if not library.exists():
        if shutil.which("npm") is None:
            absent("npm is not installed, and axe-core comes from it")
        cached.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PACKAGE, cached)
        command = ["npm", "install", "--prefix", str(cached), "--no-audit", "--no-fund", "--no-package-lock"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            absent(f"axe-core could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    return library.read_text()


def findings(page: Page) -> list[dict[str, Any]]:
    """Every rule that the page breaks, with the elements that break it."""
    page.evaluate(_source())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        {"rule": each["id"], "impact": each["impact"], "help": each["help"],
         "where": [node["html"][:160] for node in each["nodes"][:5]]}
        for each in found["violations"]
    ]  # fmt: skip


def grave(page: Page) -> list[dict[str, Any]]:
    """Those that are serious or critical."""
    return [each for each in findings(page) if each["impact"] in GRAVE]
