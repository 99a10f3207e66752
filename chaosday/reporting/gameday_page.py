"""The page of a game day: score, flags revealed, notes, action items, and the outage ledger."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from chaosday.clock import iso
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.rendering import page_environment


def write_page(directory: RunDirectory, game: dict[str, Any]) -> Path:
    """Write ``report.html`` beside ``game.json``, then seal the evidence with hashes."""
    path = directory.write_bytes("report.html", page(game).encode())
    directory.seal()
    return path


def page(game: dict[str, Any]) -> str:
    """Self-contained HTML."""
    environment = page_environment()
    environment.filters["moment"] = lambda ns: iso(int(ns))[:19].replace("T", " ")
    environment.filters["seconds"] = lambda s: "not" if s is None else f"{s:.1f} s"
    folder = resources.files("chaosday.reporting") / "templates"
    template = environment.from_string((folder / "gameday.html.j2").read_text())
    words = {"pass": "played", "inconclusive": "incomplete", "revert_failed": "revert failed"}
    return template.render(style=(folder / "style.css").read_text(), game=game, outcome=words[game["outcome"]])
