"""A headless Chromium, and where its pictures go."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.machine import absent

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUTPUT = Path(__file__).resolve().parent.parent / "output"


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """The distribution's Chromium; skips with the reason, or fails where the lab is required."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        absent("chromium is not installed; see tests/lab/apt-packages-browser.txt")
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox refuses root, and containers with few rights.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


def picture(page: Page, name: str) -> Path:
    """Keep what the page shows, under tests/output/."""
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
