"""A function of your own package as an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from chaosday.model.action import Reversible
from chaosday.model.target import Target
from chaosday.processes.calling import PATH, called


class PythonAction(Reversible):
    """Calls ``package.module:function`` with ``arguments``, in this process; what it raises did not work.

    ``undo`` is called with the same arguments as the run ends. The target is what it acts on, for guardrails and
    fences; the function is given nothing of it.
    """

    kind: Literal["python"] = "python"
    call: str = Field(default="", pattern=PATH)
    undo: str = Field(default="", pattern=PATH)
    arguments: dict[str, Any] = {}
    timeout_s: float = Field(default=60, gt=0, le=86_400)

    def commands(self) -> list[str]:
        return [f"python {each}" for each in (self.call, self.undo) if each]

    def act(self, targets: Mapping[str, Target]) -> str:
        return f"it returned {called(self.call, self.arguments, self.timeout_s)!r:.200}"

    def take_back(self, targets: Mapping[str, Target]) -> str:
        return f"it returned {called(self.undo, self.arguments, self.timeout_s)!r:.200}"
