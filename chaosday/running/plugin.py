"""A package of a user's own with members of chaosday's families, as ``chaosday init --plugin`` lays it down."""

from __future__ import annotations

import keyword
import re
import sys

from chaosday import __version__
from chaosday.errors import UsageError

NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")

PYPROJECT = f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "@NAME@"
version = "0.1.0"
description = "Members of chaosday's families that are our own."
requires-python = ">=3.11,<3.14"
dependencies = ["chaosday>={__version__}"]

[project.optional-dependencies]
test = ["pytest>=8"]

# One line a module: every member in it is found, in files, in the catalogue and in forms.
[project.entry-points."chaosday.actions"]
announce = "@PACKAGE@.announce"

[project.entry-points."chaosday.probes"]
free_space = "@PACKAGE@.free_space"

[project.entry-points."chaosday.checks"]
quick_enough = "@PACKAGE@.quick_enough"

[tool.hatch.build.targets.wheel]
packages = ["src/@PACKAGE@"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""
INIT = '"""Members of chaosday\'s families that are our own: one file each."""\n'
ACTION = '''\
"""An action: a line in a file, and the line taken away again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.model.action import Reversible
from chaosday.model.target import Shell, Target


class Announce(Reversible):
    """Writes ``words`` to a file on the target, which is removed as the run ends."""

    kind: Literal["@PACKAGE@.announce"] = "@PACKAGE@.announce"
    path: str = Field(default="/tmp/@PACKAGE@.announced", pattern=r"^/[^\\n]+$")
    words: str = "a drill is going on"
    undo: Literal["", "remove"] = ""
    """An action says how it is undone, or that it is irreversible."""

    def act(self, targets: Mapping[str, Target]) -> str:
        # Values never become program text: they are quoted.
        self._run(targets, f"printf '%s\\\\n' {shlex.quote(self.words)} > {shlex.quote(self.path)}")
        return f"{self.path} says so"

    def take_back(self, targets: Mapping[str, Target]) -> str:
        self._run(targets, f"rm -f {shlex.quote(self.path)}")
        return f"{self.path} is gone"

    def _run(self, targets: Mapping[str, Target], script: str) -> None:
        done = targets[self.target].capability(Shell).run(script, timeout_s=30)
        if done.code:
            raise TargetUnreachable(f"{self.path}: exit code {done.code}: {done.err.strip()[:200]}")
'''
PROBE = '''\
"""A probe: how much room there is."""

from __future__ import annotations

import shlex
from typing import Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Shell, Target


class FreeSpace(Probe):
    """Healthy where at least ``at_least_kib`` are free below ``path``; no answer is neither."""

    kind: Literal["@PACKAGE@.free_space"] = "@PACKAGE@.free_space"
    path: str = Field(default="/", pattern=r"^/[^\\n]*$")
    at_least_kib: int = Field(default=1024, ge=0)

    def read(self, target: Target) -> ProbeReading:
        try:
            done = target.capability(Shell).run(f"df -Pk -- {shlex.quote(self.path)} | tail -n 1", timeout_s=10)
            free_kib = int(done.out.split()[3])
        except (ChaosdayError, IndexError, ValueError) as error:
            return ProbeReading(probe=self.kind, healthy=None, words=f"no answer: {error}")
        words = f"{free_kib} KiB are free"
        return ProbeReading(
            probe=self.kind, healthy=free_kib >= self.at_least_kib, value=free_kib, unit="KiB", words=words
        )
'''
CHECK = '''\
"""A check: evidence in, finding out; it touches nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, judged
from chaosday.model.history import OK


class QuickEnough(Check):
    """No acknowledged operation took longer than ``at_most_s``."""

    kind: Literal["@PACKAGE@.quick_enough"] = "@PACKAGE@.quick_enough"
    at_most_s: float = Field(default=1, gt=0)

    blind_to: ClassVar[tuple[str, ...]] = ("operations that nobody acknowledged",)

    def judge(self, evidence: Evidence) -> Finding:
        history = evidence.history()
        done = history.where(history.statuses() == OK)
        took_s = (done.ends_ns() - done.integers("start_ns")) / 1e9
        late = [int(index) for index in done.integers("index")[took_s > self.at_most_s]]
        anomalies = [Anomaly(name="slow", count=len(late), keys=late[:1000])] if late else []
        # Nothing examined is never a pass: judged() sees to it.
        return judged(self.kind, examined=len(done), anomalies=anomalies, blind_to=list(self.blind_to))
'''
TEST = '''\
"""What is in this package is found by chaosday, and does what it says."""

from pathlib import Path

from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.registry import member
from chaosday.targets.local_host import LocalHost
from chaosday.judging.verdict import judge_checks


def test_the_action_is_done_and_undone(tmp_path: Path) -> None:
    """On this machine; quotes in its words are words."""
    path = tmp_path / "announced"
    fields = {"target": "t", "path": str(path), "words": "it's on"}
    action = member("actions", "@PACKAGE@.announce").model_validate(fields)
    action.act({"t": LocalHost()})
    assert path.read_text() == "it's on\\n"
    action.take_back({"t": LocalHost()})
    assert not path.exists()


def test_the_probe_judges_and_says_when_it_cannot() -> None:
    """Room, no room, and no such place."""
    probe = member("probes", "@PACKAGE@.free_space")
    room, none, nowhere = {"at_least_kib": 0}, {"at_least_kib": 1 << 60}, {"path": "/nowhere"}
    for fields, healthy in ((room, True), (none, False), (nowhere, None)):
        assert probe.model_validate(fields).read(LocalHost()).healthy is healthy


def test_the_check_passes_fails_and_says_when_there_is_nothing(tmp_path: Path) -> None:
    """Its golden twins."""
    check = member("checks", "@PACKAGE@.quick_enough")()
    common = {"process": 0, "f": "read", "key": 1, "value": None, "error": None, "status": "ok", "start_ns": 0}
    for took_ns, outcome in ((10**8, Outcome.PASS), (10**10, Outcome.VIOLATED)):
        history = History.from_rows([common | {"index": 0, "end_ns": took_ns}])
        assert judge_checks([check], Evidence(tmp_path).replaced(history=history))[0].outcome is outcome
    nothing = Evidence(tmp_path).replaced(history=History.from_rows([]))
    assert judge_checks([check], nothing)[0].outcome is Outcome.INCONCLUSIVE
'''


def plugin(name: str) -> dict[str, bytes]:
    """Every file of a new package called ``name`` by its path in it; ``UsageError`` where that can be no package's."""
    package = name.replace("-", "_")
    taken = keyword.iskeyword(package) or package in sys.stdlib_module_names or package == "chaosday"
    if not NAME.fullmatch(name) or taken:
        raise UsageError(
            f"{name!r} can be no package's name here: small letters, digits and - between them, and no name that "
            "Python, or chaosday, has itself"
        )
    files = {
        "pyproject.toml": PYPROJECT,
        ".gitignore": ".venv/\n__pycache__/\n*.egg-info/\ndist/\n",
        f"src/{package}/__init__.py": INIT,
        f"src/{package}/announce.py": ACTION,
        f"src/{package}/free_space.py": PROBE,
        f"src/{package}/quick_enough.py": CHECK,
        f"tests/test_{package}.py": TEST,
    }
    filled = {path: text.replace("@PACKAGE@", package).replace("@NAME@", name) for path, text in files.items()}
    return {path: text.encode() for path, text in sorted(filled.items())}
