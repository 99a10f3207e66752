"""An error out of a function."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.application.fault import FunctionFault


class PythonRaise(FunctionFault):
    """Raises ``error`` (a dotted exception) at calls of the function instead of running it."""

    kind: Literal["application.python.raise"] = "application.python.raise"
    error: str = Field(default="ConnectionError", pattern=r"^[A-Za-z_][\w.]*$")
    message: str = "injected"

    def effect(self) -> dict[str, Any]:
        return {"effect": "raise", "error": self.error, "message": self.message}
