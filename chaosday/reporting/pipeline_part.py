"""What the report of a pipeline drill has beside others: the lane picture, the causes and their stories."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import chaosday
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.lanes import picture

PAGES = "docs/pipelines"
SHOWN = 200
"""How many points of a cause are named."""


def pipeline_part(directory: RunDirectory) -> dict[str, Any]:
    """For the page's template; empty where the run is no drill of a pipeline, or did not come to its points."""
    evidence = directory.evidence()
    if not evidence.has("observations/pipeline"):
        return {}
    said = evidence.observation("pipeline")
    if not isinstance(said.get("causes"), list):
        return {}
    known = set(said.get("known", []))
    return {
        "picture": picture(said),
        "left_out": said.get("lanes", {}).get("left_out", 0),
        "causes": [_cause(cause, known, directory.path) for cause in said["causes"]],
    }


def _cause(cause: dict[str, Any], known: set[str], folder: Path) -> dict[str, Any]:
    points = list(map(str, cause["points"]))
    # A helpful sentence is no evidence: runs of former versions have none.
    remedy = cause.get("remedy") or {}
    count = len(cause["states"] if cause.get("what", "crash states") == "crash states" else points)
    return {
        "damage": [f"{output} {kind}" for output, kind in cause["damage"]],
        "after": " ".join(str(cause["after"]).split())[:SHOWN] or "nothing was committed",
        "often": f"{count} {cause.get('what', 'crash states')}",
        "known": known.issuperset(points),
        "story": cause["story"],
        "points": [*points[:SHOWN], *([f"and {len(points) - SHOWN} more"] if len(points) > SHOWN else [])],
        "remedy": remedy.get("words", ""),
        "page": f"{PAGES}/{remedy.get('page', '')}",
        "link": _link(remedy.get("page", ""), folder),
    }


def _link(page: str, folder: Path) -> str:
    """The page as seen from a report's folder, where the documentation is on this machine; else nothing."""
    place = Path(chaosday.__file__).resolve().parent.parent / PAGES / page
    if not page or "/" in page or not place.is_file():
        return ""
    return quote(os.path.relpath(place, folder.resolve()))
