"""The commands that need Prefect; named here so that none of them is imported before it is called."""

from __future__ import annotations


def register() -> dict[str, str]:
    """Command name -> ``module:attribute`` of its click command."""
    return {
        "demo": "flows.demo:command",
        "lab": "flows.scenario:command",
        "run": "flows.run:command",
        "plan": "flows.run:plan_command",
        "drill": "flows.drill:command",
        "gameday": "flows.gameday_command:command",
        "serve": "flows.serve:command",
    }
