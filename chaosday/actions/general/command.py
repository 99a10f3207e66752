"""A command of your own as an action: a restart, a deploy, a script that operators have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.model.action import Reversible
from chaosday.model.target import Shell, Target


class CommandAction(Reversible):
    """Runs ``run`` (POSIX ``sh``) on the target; an exit code other than 0 did not work.

    ``undo`` is run as the run ends.
    """

    kind: Literal["command"] = "command"
    run: str = Field(default="true", min_length=1)
    undo: str = ""
    timeout_s: float = Field(default=60, gt=0, le=86_400)

    def commands(self) -> list[str]:
        return [each for each in (self.run, self.undo) if each]

    def act(self, targets: Mapping[str, Target]) -> str:
        return self._run(targets[self.target], self.run)

    def take_back(self, targets: Mapping[str, Target]) -> str:
        return self._run(targets[self.target], self.undo)

    def _run(self, target: Target, script: str) -> str:
        done = target.capability(Shell).run(script, timeout_s=self.timeout_s)
        said = ([*done.err.splitlines(), *done.out.splitlines()] or ["it printed nothing"])[-1][:200]
        if done.code:
            raise TargetUnreachable(f"the command failed with exit code {done.code}: {said}")
        return f"it ran: {said}"
