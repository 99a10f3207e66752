"""A function that takes longer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.application.fault import FunctionFault


class PythonDelay(FunctionFault):
    """Waits ``delay_ms`` before the function runs."""

    kind: Literal["application.python.delay"] = "application.python.delay"
    delay_ms: float = Field(default=300, gt=0, le=600_000)

    def effect(self) -> dict[str, Any]:
        return {"effect": "delay", "delay_s": self.delay_ms / 1000}
