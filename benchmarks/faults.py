"""Faults that hit what they say, their undo, and proxies that ordinary traffic does not notice."""

from __future__ import annotations

from typing import Any

from benchmarks import _idle_proxies


def run(quick: bool) -> dict[str, Any]:
    """All figures; ``quick`` takes fewer samples of the same."""
    return {**_idle_proxies.figures(quick)}
