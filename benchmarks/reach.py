"""How far chaosday reaches: the systems that data teams run, each measured by a module of its own."""

from __future__ import annotations

from typing import Any

from benchmarks import _reach_kafka, _reach_lake, _reach_sql, _reach_streams


def run(quick: bool) -> dict[str, Any]:
    """The figures of all of them."""
    databases = _reach_sql.measured(quick) | _reach_kafka.measured(quick)
    return databases | _reach_lake.measured(quick) | _reach_streams.measured(quick)
