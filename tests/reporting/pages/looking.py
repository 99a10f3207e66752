"""Opening a page as four people would: by day, by night, on a phone, on paper."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab import axe
from tests.lab.browser import OUTPUT, picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DESK = {"width": 1100, "height": 800}
PHONE = {"width": 390, "height": 844}


@dataclass
class Look:
    """What was seen of a page."""

    name: str
    grave: list[dict[str, Any]] = field(default_factory=list)
    asked_for: list[str] = field(default_factory=list)
    """Everything that the page wanted to load beside itself."""
    errors: list[str] = field(default_factory=list)
    wider_than_a_phone: bool = False
    pictures: list[Path] = field(default_factory=list)


def looked_at(browser: Browser, path: Path, name: str) -> Look:
    """Open the file, judge it with axe-core in both colour schemes, and keep four pictures under tests/output/."""
    look = Look(name)
    for view, size, scheme in (("light", DESK, "light"), ("dark", DESK, "dark"), ("phone", PHONE, "light")):
        page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page.on("request", lambda asked: look.asked_for.append(asked.url))
        page.on("pageerror", lambda error: look.errors.append(str(error)))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        look.grave += [{"view": view, **each} for each in axe.grave(page)]
        if view == "phone":
            width = page.evaluate("document.documentElement.scrollWidth")
            look.wider_than_a_phone = width > PHONE["width"]
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = false })")
        look.pictures.append(picture(page, f"{name}-{view}"))
        if view == "light":
            look.pictures.append(OUTPUT / f"{name}-print.pdf")
            page.pdf(path=look.pictures[-1], format="A4")
            page.emulate_media(media="print", color_scheme="dark")
            look.pictures.append(picture(page, f"{name}-print"))
        page.close()
    look.asked_for = [url for url in look.asked_for if url != path.as_uri()]
    (OUTPUT / f"{name}-axe.json").write_text(json.dumps(look.grave, indent=1))
    return look


def assert_sound(look: Look) -> None:
    """Nothing grave, nothing loaded, no script error, no sideways scrolling on a phone; pictures were kept."""
    assert not look.grave, json.dumps(look.grave, indent=1)
    assert not look.asked_for
    assert not look.errors
    assert not look.wider_than_a_phone
    assert len(look.pictures) == 5
    assert all(path.stat().st_size > 2_000 for path in look.pictures)
