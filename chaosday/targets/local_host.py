"""This machine, through ``sh``."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Shell, Target
from chaosday.processes.local_shell import LocalShell
from chaosday.undo.lease import ShellLeases, default_state_dir


class LocalHost(Target):
    """The machine that chaosday runs on."""

    kind: Literal["local_host"] = "local_host"
    here: ClassVar[bool] = True
    state_dir: str = Field(default="", title="Lease directory")
    """Where undos are kept; empty is /var/lib/chaosday/leases as root, the user's state directory otherwise."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Shell and LeaseHolder."""
        return {Shell: self._shell, LeaseHolder: self._leases}

    def reach(self) -> str:
        """Run ``sh`` once and say what answered."""
        said = self._shell.run("uname -sr").out.strip()
        return f"{platform.node()}, {said}, as user {os.geteuid()}"

    @cached_property
    def _shell(self) -> LocalShell:
        return LocalShell()

    @cached_property
    def _leases(self) -> ShellLeases:
        return ShellLeases(self._shell, self.state_dir or default_state_dir())
