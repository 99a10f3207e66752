"""Prefect's command line, whose children are told no login: ``python -m flows.sealed worker start ...``.

A worker of Prefect's puts all of its settings into the environment of each flow run, secrets among them. A flow run of
ours reads the login from the profile that ``PREFECT_PROFILES_PATH`` names, as the worker does.
"""

from __future__ import annotations

import runpy
from typing import Any

from flows.login import without_login


def seal() -> None:
    """Leave the login out of every environment that Prefect makes in this process."""
    from prefect.settings.base import PrefectBaseSettings

    all_of_it = PrefectBaseSettings.to_environment_variables

    def shown(self: PrefectBaseSettings, *words: Any, **options: Any) -> dict[str, str]:
        return without_login(all_of_it(self, *words, **options))

    PrefectBaseSettings.to_environment_variables = shown  # type: ignore[method-assign]


if __name__ == "__main__":
    seal()
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)
