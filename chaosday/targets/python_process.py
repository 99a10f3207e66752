"""A Python program that was started under ``chaosday exec``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.application.switch import PythonSwitch, SwitchFile
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target


class PythonProcess(Target):
    """The program with process number ``pid``, and the switch file that it was started with."""

    kind: Literal["python_process"] = "python_process"
    here: ClassVar[bool] = True
    pid: int = Field(default=0, ge=0)
    switch: Path = Path("chaosday.switch")

    def capabilities(self) -> Mapping[type[Any], Any]:
        file = SwitchFile(self.switch.resolve(), self.pid)
        return {PythonSwitch: file, LeaseHolder: file}

    def reach(self) -> str:
        if not SwitchFile(self.switch.resolve(), self.pid).watched():
            raise TargetUnreachable(
                f"process {self.pid} does not watch {self.switch}: start it with chaosday exec --switch ..."
            )
        return f"Python process {self.pid}, switched by {self.switch}"
