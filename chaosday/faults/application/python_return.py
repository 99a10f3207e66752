"""A function that gives the wrong answer."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.application.fault import FunctionFault


class PythonReturn(FunctionFault):
    """Gives ``value`` (JSON) instead of running the function."""

    kind: Literal["application.python.return"] = "application.python.return"
    value: bool | int | float | str | list[Any] | dict[str, Any] | None = None

    def effect(self) -> dict[str, Any]:
        return {"effect": "return", "value": self.value}
