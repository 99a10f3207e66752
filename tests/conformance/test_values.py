"""A value is never a program: hostile text through every string field of every member that may reach a shell."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from chaosday.clock import SystemClock
from chaosday.errors import ChaosdayError
from chaosday.model.fault import Fault, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.model.probe import Probe
from chaosday.model.target import Processes, Shell, ShellResult, Target
from chaosday.processes.local_shell import LocalShell
from chaosday.registry import member, members
from tests.attackers import BECOME, needs_root

pytestmark = [pytest.mark.lab, needs_root]

FAMILIES = ("faults", "probes", "actions", "targets", "workloads")
CANARY = "touch $CANARY"
HOSTILE = (
    f"$({CANARY})", f"/x/$({CANARY})", f"x`{CANARY}`", f"'; {CANARY}; '", f'/x"; {CANARY}; "', f"x\n{CANARY}\n",
    f"RULES\n{CANARY}\n", f"x$({CANARY}):9", "--help", "../../etc",
)  # fmt: skip
TAKEN = int(os.environ.get("CHAOSDAY_HOSTILE_TEXTS", "2"))
# What is a program because it says so in the field's own words; docs/threat-model.md names them.
PROGRAMS = {
    ("probes", "command", "run"), ("targets", "local_process", "restart"), ("actions", "command", "run"),
    ("actions", "command", "undo"),
}  # fmt: skip

# Tools that answer as a host would that has all there is, so that plans get as far as they can.
SAID = {
    "id": "case $* in *n*) echo root ;; *) echo 0 ;; esac",
    "ip": "echo '2: eth0 dev eth0 src 198.18.0.1 link/ether 02:00:00:00:00:01'",
    "ping": "echo '20 packets transmitted, 20 received, time 200ms'; echo 'icmp_seq=1 time=0.1 ms'",
    "dmsetup": "case $* in table*) echo '0 2048 linear 8:0 0' ;; *) echo 'flakey v1'; echo 'error v1' ;; esac",
    "podman": "case $* in *Pid*) echo 1 ;; ps*) echo web 0123456789abcdef Up ;; *) echo true ;; esac",
    "systemctl": "echo 1",
    "getent": "echo '198.18.0.9 STREAM x'",
    "tc": "echo tc utility, iproute2-6",
    "stat": 'case $* in *%T:*) echo x:99999:4096 ;; *%S*) echo "99999 * 4096" ;; *) exec /usr/bin/stat "$@" ;; esac',
}
SILENT = (
    "nft", "strace", "fallocate", "umount", "mount", "modprobe", "iptables", "prlimit", "docker", "unshare",
    "sleep", "setsid",
)  # fmt: skip


class SandboxShell:
    """A real ``sh`` as nobody, in a folder of its own, with the tools above first on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.canary = folder, folder / "canary"
        self._said: dict[tuple[str, str], ShellResult] = {}
        tools = folder / "bin"
        tools.mkdir()
        for name, text in {**dict.fromkeys(SILENT, ":"), **SAID}.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        # Most of what plans ask is the same for every fault, and is answered the same.
        if (script, stdin) not in self._said:
            self._said[script, stdin] = self._run(script, stdin)
        return self._said[script, stdin]

    def _run(self, script: str, stdin: str) -> ShellResult:
        setting = f"cd {self.folder}; PATH={self.folder}/bin:$PATH; CANARY={self.canary}; export PATH CANARY\n"
        file = self.folder / "script"
        file.write_text(f"{setting}{script}")
        return LocalShell().run(f"exec {' '.join(BECOME)} sh {file}", timeout_s=20, stdin=stdin)


class Everything(Target):
    """A target with a shell, and a holder of leases that is never asked."""

    kind: str = "everything"  # type: ignore[assignment]
    _shell: Any = None

    def capabilities(self) -> Mapping[type[Any], Any]:
        return {Shell: self._shell, LeaseHolder: object(), Processes: self}

    def processes(self) -> list[Any]:
        return []

    def reach(self) -> str:
        return "here"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxShell]:
    folder = Path(tempfile.mkdtemp(prefix="cd-values-"))
    folder.chmod(0o777 | stat.S_ISVTX)
    yield SandboxShell(folder)
    shutil.rmtree(folder)


def string_fields(model: type[BaseModel]) -> list[tuple[str, str]]:
    """Each field that can hold text, and how: bare, in a list, in a mapping."""
    found = []
    for name, field in model.model_fields.items():
        said = str(field.annotation)
        if name != "kind" and ("str" in said or "Path" in said) and "Literal" not in said:
            found.append((name, "list" if "list[str" in said else "dict" if "dict[" in said else "bare"))
    return found


ALL = [
    (family, kind, name, how)
    for family in FAMILIES
    for kind, model in members(family).items()
    for name, how in string_fields(model)
    if (family, kind, name) not in PROGRAMS
]
# What is asked beside the hostile field, so that the plan does not stop before it.
BESIDE: dict[str, dict[str, Any]] = {
    "network": {"probe": "198.18.0.9"}, "storage": {"path": "/tmp"}, "host.file": {"pattern": "sh"},
    "host.cgroup": {"pattern": "sh"}, "host.service": {"name": "x"}, "process": {"pattern": "sh"},
    "container": {"name": "web"}, "network.dns": {"lookup": "x"}, "storage.device": {"device": "x", "path": "/tmp"},
    "host.io": {"path": "/tmp"}, "host.disk": {"path": "/tmp", "size_mb": 1},
}  # fmt: skip


def beside(kind: str, model: type[BaseModel]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for start, fields in BESIDE.items():
        if kind.startswith(start):
            chosen |= {name: value for name, value in fields.items() if name in model.model_fields}
    return chosen


def sent(sandbox: SandboxShell, family: str, kind: str, name: str, how: str) -> int:
    """Send hostile texts through one field as far as they go, and run every script that comes out of it.

    Those that a pattern lets pass are few: the first ``TAKEN`` of them, beginning elsewhere for each field.
    """
    model, went, start = member(family, kind), 0, zlib.crc32(f"{kind}.{name}".encode()) % len(HOSTILE)
    for text in HOSTILE[start:] + HOSTILE[:start]:
        if went >= (1 if name == "target" else TAKEN):
            break
        value: Any = {"bare": text, "list": [text], "dict": {text: text}}[how]
        fields = {**beside(kind, model), **({"target": "t"} if family == "faults" else {}), name: value}
        try:
            made = model.model_validate(fields)
        except (ValidationError, ChaosdayError):
            continue  # refused by its pattern, which is the best there is
        went += 1
        target = Everything()
        target._shell = sandbox
        # What the answers of such tools lead to otherwise is not asked here.
        with contextlib.suppress(ChaosdayError, ValueError, LookupError):
            _use(made, target, sandbox)
    return went


def _use(made: Any, target: Everything, sandbox: SandboxShell) -> None:
    if isinstance(made, Fault) and Shell in made.requires:
        context = PlanContext(run="r", lease_id="cd-values-0001", seed=1, clock=SystemClock())
        plan = made.plan(target, context)
        for script in (str(plan.data.get("inject", "")), plan.lease.undo.script, plan.lease.undo.residue_script):
            sandbox.run(script)
        json.dumps(plan.data)
    elif isinstance(made, Probe) and made.kind in ("log.pattern", "command"):
        made.read(target)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_field_is_run(sandbox: SandboxShell, family: str) -> None:
    """Commands, quotes, newlines, options and ways up, through every field: the canary is never there."""
    for _, kind, name, how in [each for each in ALL if each[0] == family]:
        sent(sandbox, family, kind, name, how)
        assert not sandbox.canary.exists(), f"{kind}.{name} was run"
    assert not (sandbox.folder / "etc").exists()


def test_the_sandbox_would_show_it(sandbox: SandboxShell) -> None:
    """The canary is there when a text is pasted into a script, so that its absence says something."""
    sandbox.run(f"echo {HOSTILE[0]}")
    assert sandbox.canary.exists()
    assert sandbox.canary.stat().st_uid != os.geteuid()
    sandbox.canary.unlink()
