"""The results of a suite as a page of our own: self-contained, where Data Docs load from the network."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from chaosday.data.expectations import Expectation, error_in
from chaosday.reporting.rendering import page_environment

KEYS_SHOWN = 20


def records(suite: Sequence[Expectation], results: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """One flat record an expectation, for a page, a terminal or a table artifact."""
    rows = []
    for expected, result in zip(suite, results, strict=True):
        said = result.get("result") or {}
        error = error_in(result)
        keys = [str(key) for key in said.get("unexpected_keys", [])]
        more = f" and {len(keys) - KEYS_SHOWN:,} more" if len(keys) > KEYS_SHOWN else ""
        seen = said.get("observed_value")
        rows.append(
            {
                "expectation": expected.expect.removeprefix("expect_").replace("_", " "),
                "of": ", ".join(f"{name} {value}" for name, value in expected.arguments.items()),
                "outcome": "inconclusive" if error else "pass" if result["success"] else "violated",
                "found": error or (", ".join(keys[:KEYS_SHOWN]) + more if keys else "" if seen is None else str(seen)),
            }
        )
    return rows


def page(title: str, rows: int, suite: Sequence[Expectation], results: Sequence[dict[str, Any]]) -> str:
    """The page; ``rows`` is how many were examined."""
    environment = page_environment()
    folder = resources.files("chaosday.reporting") / "templates"
    template = environment.from_string((folder / "expectations.html.j2").read_text())
    listed = records(suite, results)
    return template.render(style=(folder / "style.css").read_text(), title=title, rows=rows, records=listed)
